from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from undegrade.batch import Batch
from undegrade.errors import UndegradeError
from undegrade.objectives import DegradationClassification
from undegrade.recipes import RECIPES
from undegrade.training.loop import Step, fit, make_optimizer
from undegrade.training.precision import has_bf16
from undegrade.training.run import build
from undegrade.training.schedule import share_of_peak


def test_hooks_are_told_each_step_in_order(brightness: nn.Module, counted: Any, stage: Callable) -> None:
    told: list[tuple[str, Step]] = []
    data = counted()
    hooks = [lambda s: told.append(("first", s)), lambda s: told.append(("second", s))]
    config = stage(steps=4, warmup=2, lr_floor=0.1)
    fit(brightness, data, config, hooks)
    assert [name for name, _ in told] == ["first", "second"] * 4
    assert [s.number for _, s in told[::2]] == [1, 2, 3, 4]
    rates = [0.1 * share_of_peak(n, kind="cosine", steps=4, warmup=2, floor=0.1) for n in range(4)]
    assert [s.lr for _, s in told[::2]] == pytest.approx(rates)
    assert all(set(s.scalars) == {"loss", "gain", "grad_norm"} for _, s in told)
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


def test_a_batch_in_parts_is_the_same_batch(brightness: nn.Module, counted: Any, stage: Callable) -> None:
    whole: list[Step] = []
    fit(brightness, counted(), stage(), [whole.append])
    parts, other = list[Step](), type(brightness)()
    fit(other, counted(), stage(), [parts.append], parts=2)
    torch.testing.assert_close(other.gain, brightness.gain, atol=1e-6, rtol=0)
    assert [float(s.scalars["loss"]) for s in parts] == pytest.approx([float(s.scalars["loss"]) for s in whole])


def test_parts_of_a_batch_keep_all_that_belongs_together() -> None:
    batch = Batch(
        degraded=torch.arange(4.0)[:, None, None, None],
        clean=torch.zeros(4, 3, 2, 2),
        label=torch.arange(4),
        numbers=(8, 9, 10, 11),
        present=torch.eye(4),
    )
    first, second = batch.split(2)
    assert (first.numbers, second.numbers) == ((8, 9), (10, 11))
    assert second.label.tolist() == [2, 3]
    assert second.degraded.flatten().tolist() == [2, 3]
    assert second.present is not None
    assert second.present.argmax(1).tolist() == [2, 3]


def test_it_learns(brightness: nn.Module, counted: Any, stage: Callable) -> None:
    fit(brightness, counted(), stage(steps=120, lr_floor=0.01))
    assert brightness.gain.item() == pytest.approx(2, abs=0.05)
    assert brightness.training


@pytest.mark.parametrize("spoil", [0, 3])
def test_a_step_without_a_finite_loss_changes_nothing(
    spoil: int, brightness: nn.Module, counted: Any, stage: Callable
) -> None:
    told: list[tuple[int, int, float, int]] = []
    optimizer = torch.optim.AdamW(brightness.parameters())

    def note(step: Step) -> None:
        seen = sum(int(state["step"]) for state in optimizer.state.values())
        told.append((step.number, step.skipped, brightness.gain.item(), seen))

    fit(brightness, counted(spoil=spoil), stage(), [note], optimizer=optimizer)
    assert [number for number, *_ in told] == [1, 2, 3, 4, 5]
    assert [skipped for _, skipped, *_ in told] == [number == spoil for number in range(5)]
    gains = [0.0, *(gain for _, _, gain, _ in told)]
    assert gains[spoil + 1] == gains[spoil]
    assert all(after != before for i, (before, after) in enumerate(pairwise(gains)) if i != spoil)
    assert told[-1][3] == 4  # steps of the optimizer


def test_the_statistics_of_batch_norms_survive_a_skipped_step(counted: Any, stage: Callable) -> None:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, batch: Any) -> dict[str, torch.Tensor]:
            return {"loss": self.norm(batch.degraded).square().mean()}

    whole, skipping = Normed(), Normed()
    fit(skipping, counted(spoil=0), stage(steps=1))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, skipping.state_dict()[key]), key


def test_too_many_skipped_steps_in_a_row_end_the_run(brightness: nn.Module, stage: Callable) -> None:
    bad = Batch(degraded=torch.full((2, 3, 4, 4), float("inf")), clean=torch.zeros(2, 3, 4, 4), label=torch.zeros(2))
    done: list[int] = []
    with pytest.raises(UndegradeError, match=r"step 3: the loss .* no finite number 3 times in a row; .*learning rate"):
        fit(brightness, [bad] * 9, stage(steps=9, max_skipped=3), [lambda s: done.append(s.number)])
    assert done == [1, 2, 3]
    assert brightness.gain.item() == 0


def test_a_resumed_run_goes_on_counting_what_was_skipped(brightness: nn.Module, counted: Any, stage: Callable) -> None:
    counts: list[int] = []
    config = stage(steps=9, max_skipped=4)
    with pytest.raises(UndegradeError, match=r"step 8: .* 4 times in a row"):
        fit(brightness, counted(spoil=0), config, [lambda s: counts.append(s.skipped)], first=7, skipped=3)
    assert counts == [4]
    fit(brightness, counted(), config, [lambda s: counts.append(s.skipped)], first=7, skipped=3)
    assert counts == [4, 0, 0]


def test_bad_steps_that_are_not_in_a_row_do_not(brightness: nn.Module, counted: Any, stage: Callable) -> None:
    good = [batch for batch, _ in zip(counted(), range(6), strict=False)]
    bad = Batch(degraded=good[0].degraded * float("nan"), clean=good[0].clean, label=good[0].label)
    fit(brightness, [bad, good[0], bad, good[1], bad, good[2]], stage(steps=6, max_skipped=2))
    assert brightness.gain.item() != 0


def test_the_classifier_has_rates_of_its_own(stage: Callable) -> None:
    model = build(RECIPES["generated-5d-debug"]())
    optimizer = make_optimizer(model, stage(lr=0.3, classifier_lr=0.1, weight_decay=0.0, classifier_weight_decay=0.02))
    found = {id(p): (group["peak"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]}
    assert len(found) == len(list(model.parameters()))
    assert {found[id(p)] for p in model.network.parameters()} == {(0.3, 0.0)}
    assert found[id(model.classifier.fc.weight)] == (0.1, 0.02)
    assert found[id(model.classifier.fc.bias)] == (0.1, 0.0)
    used: list[list[float]] = []
    few = stage(steps=2, lr=0.3, classifier_lr=0.1, schedule="linear", lr_floor=0.0)
    objective = DegradationClassification(DegradationClassification.Config(), model)
    pictures = torch.rand(2, 3, 32, 32)
    batches = [Batch(degraded=pictures, clean=pictures, label=torch.tensor([0, 1]))] * 2
    fit(objective, batches, few, [lambda s: used.append(sorted({g["lr"] for g in s.optimizer.param_groups}))])
    assert used == [pytest.approx([0.1, 0.3]), pytest.approx([0.05, 0.15])]


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


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the processor's instructions are listed elsewhere")
def test_bfloat16_where_the_processor_has_its_instructions() -> None:
    listed = Path("/proc/cpuinfo").read_text().split()
    assert has_bf16("cpu") == bool({"avx512_bf16", "amx_tile", "bf16"} & set(listed))
    assert has_bf16("cuda")


@pytest.mark.parametrize("has_it", [True, False])
def test_stages_of_either_precision_follow_each_other(
    has_it: bool, brightness: nn.Module, counted: Any, stage: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("undegrade.training.precision.has_bf16", lambda device: has_it)
    kinds: list[torch.dtype] = []

    class Noticing(type(brightness)):  # type: ignore[misc]
        def forward(self, batch: Any) -> dict[str, torch.Tensor]:
            kinds.append(torch.nn.functional.linear(batch.clean, batch.clean[0, 0]).dtype)
            scalars: dict[str, torch.Tensor] = super().forward(batch)
            return scalars

    for bf16 in (True, False, True):
        fit(Noticing(), counted(), stage(steps=1, bf16=bf16))
    reduced = torch.bfloat16 if has_it else torch.float32
    assert kinds == [reduced, torch.float32, reduced]
