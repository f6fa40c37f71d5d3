from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from undegrade.errors import UndegradeError
from undegrade.training.loop import Step, fit, make_optimizer
from undegrade.training.schedule import warmup_cosine


def test_hooks_are_told_each_step_in_order(brightness: nn.Module, counted: Any, stage: Callable) -> None:
    told: list[tuple[str, Step]] = []
    data = counted()
    hooks = [lambda s: told.append(("first", s)), lambda s: told.append(("second", s))]
    config = stage(steps=4, warmup=2, lr_floor=0.1)
    fit(brightness, data, config, hooks)
    assert [name for name, _ in told] == ["first", "second"] * 4
    assert [s.number for _, s in told[::2]] == [1, 2, 3, 4]
    rates = [0.1 * warmup_cosine(n, steps=4, warmup=2, floor=0.1) for n in range(4)]
    assert [s.lr for _, s in told[::2]] == pytest.approx(rates)
    assert all(set(s.scalars) == {"loss", "gain"} for _, s in told)
    assert data.taken <= 5


def test_a_resumed_stage_does_the_steps_that_are_left(brightness: nn.Module, counted: Any, stage: Callable) -> None:
    numbers: list[int] = []
    rates: list[float] = []
    fit(brightness, counted(), stage(steps=6, lr_floor=0.0), [lambda s: numbers.append(s.number)], first=4)
    assert numbers == [5, 6]
    fit(brightness, counted(), stage(steps=6, lr_floor=0.0), [lambda s: rates.append(s.lr)])
    resumed: list[float] = []
    fit(brightness, counted(), stage(steps=6, lr_floor=0.0), [lambda s: resumed.append(s.lr)], first=4)
    assert resumed == rates[4:]


def test_it_learns(brightness: nn.Module, counted: Any, stage: Callable) -> None:
    fit(brightness, counted(), stage(steps=120, lr_floor=0.01))
    assert brightness.gain.item() == pytest.approx(2, abs=0.05)
    assert brightness.training


@pytest.mark.parametrize("number", [0, 3])
def test_a_loss_that_is_not_finite_is_refused_before_it_spoils_the_weights(
    number: int, brightness: nn.Module, counted: Any, stage: Callable
) -> None:
    done: list[int] = []
    with pytest.raises(UndegradeError, match=f"the loss is nan at step {number}; lower the learning rate"):
        fit(brightness, counted(spoil=number), stage(), [lambda s: done.append(s.number)])
    assert done == list(range(1, number + 1))
    assert brightness.gain.isfinite().all()


def test_the_gradient_is_clipped_to_the_norm(brightness: nn.Module, counted: Any, stage: Callable) -> None:
    norms: dict[float, float] = {}
    for clip in (0.0, 1e-3):
        objective = type(brightness)()
        optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
        fit(objective, counted(), stage(steps=1, clip=clip), optimizer=optimizer)
        norms[clip] = abs(objective.gain.item()) / 0.1
    assert norms[0.0] > 0.1
    assert norms[1e-3] == pytest.approx(1e-3, rel=0.01)


def test_data_that_end_early_end_the_stage(brightness: nn.Module, counted: Any, stage: Callable) -> None:
    numbers: list[int] = []
    few = [batch for batch, _ in zip(counted(), range(2), strict=False)]
    fit(brightness, few, stage(steps=5), [lambda s: numbers.append(s.number)])
    assert numbers == [1, 2]


def test_vectors_have_no_weight_decay(stage: Callable) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(8, 2))
    model.gain = nn.Parameter(torch.zeros(1, 4, 1, 1))
    model[3].bias.requires_grad_(False)
    optimizer = make_optimizer(model, stage(weight_decay=0.25))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    found = {name: decay.get(id(p)) for name, p in model.named_parameters()}
    assert found == {
        "0.weight": 0.25,
        "3.weight": 0.25,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
        "gain": 0.0,
        "3.bias": None,
    }


def test_stages_of_either_precision_follow_each_other(brightness: nn.Module, counted: Any, stage: Callable) -> None:
    kinds: list[torch.dtype] = []

    class Noticing(type(brightness)):  # type: ignore[misc]
        def forward(self, batch: Any) -> dict[str, torch.Tensor]:
            kinds.append(torch.nn.functional.linear(batch.clean, batch.clean[0, 0]).dtype)
            scalars: dict[str, torch.Tensor] = super().forward(batch)
            return scalars

    for bf16 in (True, False, True):
        fit(Noticing(), counted(), stage(steps=1, bf16=bf16))
    assert kinds == [torch.bfloat16, torch.float32, torch.bfloat16]
