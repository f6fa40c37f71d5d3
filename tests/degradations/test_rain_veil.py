from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.degradations.light import to_linear
from undegrade.degradations.rain_veil import RainVeil


def streaks(seed: int, density: float = 0.0, drops: float = 15.0) -> Tensor:
    """How much a dark gray picture (48, 48) gains."""
    gray = torch.full((3, 48, 48), 0.3)
    rng = torch.Generator().manual_seed(seed)
    return (RainVeil().apply(gray, rng, density=density, drops=drops, length=12.0) - gray)[1]


@pytest.mark.parametrize("density", [0.5, 1.5])
def test_without_streaks_it_is_koschmieders_law_from_near_to_far(density: float, seeded: Callable) -> None:
    seen = []
    for value in (0.2, 0.7):
        flat = torch.full((3, 40, 40), value)
        rainy = RainVeil().apply(flat, seeded(1), density=density, drops=0.0, length=12.0)
        seen.append(to_linear(rainy.double()))
    transmission = (seen[1] - seen[0]) / (to_linear(torch.tensor(0.7)) - to_linear(torch.tensor(0.2)))
    optical_depth = -torch.log(transmission)
    assert optical_depth.min().item() == pytest.approx(0.2 * density, abs=1e-4)
    assert optical_depth.max().item() == pytest.approx(density, abs=1e-4)
    air = (seen[0] - to_linear(torch.tensor(0.2)) * transmission) / (1 - transmission)
    assert (air.amax((1, 2)) - air.amin((1, 2))).max() < 1e-4
    assert air.std() < 0.05 * air.mean()  # gray


def test_streaks_brighten_and_leave_the_rest_as_it_was() -> None:
    for seed in range(3):
        gained = streaks(seed, drops=5.0)
        assert gained.min() > -1e-5
        assert gained.max() > 0.05
        assert 0.2 < (gained.abs() < 1e-5).float().mean() < 1


def test_more_streaks_are_seen_before_the_far_top_than_before_the_near_bottom() -> None:
    gained = torch.stack([streaks(seed) for seed in range(12)]).mean((0, 2))
    assert gained[:16].mean() > 1.2 * gained[-16:].mean()


def test_streaks_stand_upright_rather_than_lie() -> None:
    gained = torch.stack([streaks(seed) for seed in range(8)])
    assert gained.diff(dim=1).square().mean() < 0.5 * gained.diff(dim=2).square().mean()


def test_rain_in_between_dims_the_streaks() -> None:
    """The veil nears the brightness of the streaks too, so contrast is what remains of them."""
    for seed in range(3):
        clear, thick = (streaks(seed, density=d) - streaks(seed, density=d, drops=0.0) for d in (0.0, 1.5))
        assert thick.mean() < 0.6 * clear.mean()
