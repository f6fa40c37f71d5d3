import pytest
import torch
from torch import nn

from undegrade.evaluation.inspection import DRAWS, effective_rank, filters_of, inspect, variance_entropy


def two_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 3, 3, padding=1))


def test_what_is_counted_is_there() -> None:
    found = inspect(two_layers(), "two", side=64)
    weights = 3 * 16 * 9
    assert found.parameters == 2 * weights + 16 + 3
    assert found.multiplications == 2 * weights * 64 * 64
    assert [layer.parameters for layer in found.layers] == [weights + 16, weights + 3]
    assert [layer.name for layer in found.layers] == ["0", "1"]
    assert 0 < sum(layer.seconds for layer in found.layers) < 2 * found.seconds


def test_two_small_filters_see_two_pixels_away() -> None:
    network = two_layers()
    for part in network:
        nn.init.constant_(part.weight, 1.0)
    assert inspect(network, "flat", side=64).field == 2
    for part in network:
        nn.init.zeros_(part.weight)
        part.weight.data[:, :, 1, 1] = 1.0
    assert inspect(network, "point", side=64).field == 0


def test_the_answer_may_have_several_parts() -> None:
    class Naming(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.draw = nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.draw(x), x.mean((2, 3))

    found = inspect(Naming(), "naming", side=64, whole=True)
    assert (found.field, found.whole) == (0, True)
    assert found.layers[0].filters is None
    assert found.degenerate is None


def test_a_layer_that_is_used_twice_costs_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.part(self.part(x))

    found = inspect(Twice(), "twice", side=64)
    assert found.multiplications == 2 * 81 * 64 * 64
    assert found.parameters == 84


def test_the_effective_rank_is_that_of_the_singular_values() -> None:
    assert effective_rank(torch.eye(8)) == pytest.approx(8)
    assert effective_rank(torch.ones(8, 5)) == pytest.approx(1)
    assert effective_rank(torch.zeros(3, 3)) == 0
    assert 1 < effective_rank(torch.diag(torch.tensor([1.0, 0.1]))) < 2


def test_filters_that_are_all_alike_have_no_entropy() -> None:
    one = torch.randn(3, 3)
    found = filters_of(torch.linspace(-1, 1, 64)[:, None, None, None] * one)
    assert found.entropy == pytest.approx(0, abs=1e-6)
    assert found.degenerate is True


def test_random_filters_are_known_as_such() -> None:
    torch.manual_seed(1)
    found = filters_of(torch.randn(64, 64, 3, 3))
    assert found.count == 4096
    assert found.entropy == pytest.approx(found.random, abs=2e-3)
    assert found.random == pytest.approx(0.954, abs=2e-3)
    assert DRAWS > 1


def test_ordered_filters_are_not_degenerate() -> None:
    torch.manual_seed(0)
    directions = torch.linalg.qr(torch.randn(9, 9)).Q * torch.tensor([4, 3, 2, 1.5, 1, 0.5, 0.3, 0.2, 0.1])[:, None]
    found = filters_of((torch.randn(1024, 9) @ directions).reshape(32, 32, 3, 3))
    assert found.degenerate is False
    assert 0.3 < found.entropy < 0.9


def test_empty_filters_are_counted() -> None:
    weight = torch.randn(32, 2, 3, 3)
    weight[:24] *= 1e-4
    found = filters_of(weight)
    assert found.sparsity == pytest.approx(0.75)
    assert found.degenerate is True
    assert filters_of(torch.zeros(32, 2, 3, 3)).sparsity == 1
    assert variance_entropy(torch.zeros(5, 9).numpy()) == 0
    assert filters_of(torch.randn(2, 3, 3, 3)).degenerate is None  # too few to tell
