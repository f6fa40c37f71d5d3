import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from undegrade.networks import GuidedConv
from undegrade.recipes import RECIPES
from undegrade.training.loop import make_optimizer
from undegrade.training.muon import Muon, orthogonal
from undegrade.training.run import build


@pytest.mark.parametrize("shape", [(16, 48), (48, 16), (32, 32)])
def test_the_singular_values_come_near_one_and_the_directions_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 1e-3
    found = orthogonal(matrix)
    assert found.shape == matrix.shape
    assert found.dtype == torch.float32
    values = torch.linalg.svdvals(found)
    assert 0.6 < values.min() <= values.max() < 1.25
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert ((u.T @ found @ v.T).diagonal() > 0.6).all()


def test_of_several_matrices_each_is_turned_by_itself() -> None:
    several = (
        torch.randn((3, 16, 48), generator=torch.Generator().manual_seed(1)) * torch.tensor([1, 1e-3, 9])[:, None, None]
    )
    for found, one in zip(orthogonal(several), several, strict=True):
        torch.testing.assert_close(found, orthogonal(one), rtol=0.05, atol=0.02)


def test_what_a_kind_adds_turns_and_stays_where_nothing_asked_for_it(stage: Callable) -> None:
    torch.manual_seed(0)
    conv = GuidedConv(16, 3, 4)
    optimizer = make_optimizer(conv, stage(optimizer="muon", lr=1e-2))
    for asked in ((1, 2), (1,), (1,)):
        before = conv.own_in.detach().clone()
        for parameter in conv.parameters():
            parameter.grad = torch.randn_like(parameter)
        for own in conv.added:
            assert own.grad is not None
            own.grad[[kind for kind in range(3) if kind not in asked]] = 0
        optimizer.step()
        for kind, change in enumerate(conv.own_in.detach() - before):
            assert bool(change.any()) == (kind in asked)
            if kind in asked:
                values = torch.linalg.svdvals(change)
                assert values.max() / values.min() < 2


def small() -> nn.Module:
    """A kernel between features, one of colours, a depthwise one, and what is no kernel."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, bias=False), nn.Conv2d(16, 16, 3, groups=16), nn.Linear(32, 32)
    ).to(memory_format=torch.channels_last)


def moved(kind: str, stage: Callable, steps: int = 3) -> tuple[nn.Module, torch.optim.Optimizer]:
    module = small()
    optimizer = make_optimizer(module, stage(optimizer=kind, lr=1e-2))
    for step in range(steps):
        for number, parameter in enumerate(module.parameters()):
            generator = torch.Generator().manual_seed(100 * step + number)
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()
    return module, optimizer


def test_kernels_between_features_turn_and_the_rest_goes_as_with_adamw(stage: Callable) -> None:
    (muon, optimizer), (adamw, _) = moved("muon", stage), moved("adamw", stage)
    assert isinstance(optimizer, Muon)
    before, adams = dict(small().named_parameters()), dict(adamw.named_parameters())
    for name, parameter in muon.named_parameters():
        assert torch.equal(parameter, adams[name]) == (name != "1.weight")
    one, _ = moved("muon", stage, steps=1)
    step = (dict(one.named_parameters())["1.weight"] - before["1.weight"]).flatten(1)
    assert step.square().mean().sqrt().item() == pytest.approx(0.2e-2, rel=0.15)  # SHARE of the rate
    values = torch.linalg.svdvals(step)
    assert values.max() / values.min() < 2


def test_a_resumed_optimizer_makes_the_same_steps(stage: Callable) -> None:
    module, optimizer = moved("muon", stage)
    other = small()
    other.load_state_dict(module.state_dict())
    resumed = make_optimizer(other, stage(optimizer="muon", lr=1e-2))
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one, same in zip(module.parameters(), other.parameters(), strict=True):
        one.grad = torch.randn(one.shape, generator=torch.Generator().manual_seed(7))
        same.grad = one.grad.clone()
    optimizer.step()
    resumed.step()
    assert all(torch.equal(one, same) for one, same in zip(module.parameters(), other.parameters(), strict=True))


def test_of_the_release_the_first_and_last_layers_are_left_to_adamw(stage: Callable) -> None:
    model: Any = build(RECIPES["release-default"]())
    optimizer = make_optimizer(model, stage(optimizer="muon"))
    turned = {id(p) for group in optimizer.param_groups if group["kernels"] for p in group["params"]}
    names = {name for name, parameter in model.named_parameters() if id(parameter) in turned}
    assert "network.middle.0.conv1.weight" in names
    assert "network.downs.0.weight" in names
    assert not {"network.intro.weight", "network.ending.weight", "network.mix.table"} & names
    assert not any(name.startswith("classifier") for name in names)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
