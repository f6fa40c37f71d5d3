from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.degradations.depth import random_depth, things
from undegrade.degradations.haze import Haze


def seen_through(
    grain: Callable, seeded: Callable, density: float, airlight: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Transmission (1, H, W) and air light (3, 1, 1), found from what becomes of two flat pictures."""
    low, high = torch.full((3, 40, 50), 0.3), torch.full((3, 40, 50), 0.8)
    hazy_low, hazy_high = (
        Haze().apply(x, seeded(seed), density=density, airlight=airlight, relief=1.0) for x in (low, high)
    )
    transmission = (hazy_high.double() - hazy_low.double()) / 0.5
    air = (hazy_low - low * transmission) / (1 - transmission)
    assert (transmission - transmission[:1]).abs().max() < 1e-5
    assert (air - air.mean((1, 2), keepdim=True)).abs().max() < 1e-3
    return transmission[:1], air.mean((1, 2), keepdim=True)


@pytest.mark.parametrize(("density", "airlight"), [(0.3, 0.7), (1.4, 0.85), (2.5, 0.9)])
def test_it_is_inverted_by_its_own_transmission_and_air_light(
    density: float, airlight: float, grain: Callable, seeded: Callable
) -> None:
    for seed in range(3):
        transmission, air = seen_through(grain, seeded, density, airlight, seed)
        clean = grain(3, 40, 50, seed=seed)
        hazy = Haze().apply(clean, seeded(seed), density=density, airlight=airlight, relief=1.0)
        found = (hazy - air * (1 - transmission)) / transmission
        torch.testing.assert_close(found, clean.double(), atol=2e-5, rtol=0)


@pytest.mark.parametrize(("density", "airlight"), [(0.5, 0.7), (2.5, 0.9)])
def test_transmission_and_air_light_are_as_stated(
    density: float, airlight: float, grain: Callable, seeded: Callable
) -> None:
    for seed in range(3):
        transmission, air = seen_through(grain, seeded, density, airlight, seed)
        # Depth goes from 0.2 to 1 in every picture.
        ends = torch.exp(-density * torch.tensor([1.0, 0.2])).tolist()
        assert [transmission.min().item(), transmission.max().item()] == pytest.approx(ends, abs=1e-5)
        assert (air / airlight - 1).abs().max() < 0.0201
        assert air.std() > 0  # nearly gray, not exactly


def test_thicker_haze_brings_every_pixel_nearer_to_the_air_light(grain: Callable, seeded: Callable) -> None:
    clean, previous = grain(3, 30, 30, high=0.6), None
    for density in (0.0, 0.5, 1.0, 2.0):
        hazy = Haze().apply(clean, seeded(1), density=density, airlight=0.9, relief=1.0)
        if previous is None:
            assert torch.equal(hazy, clean)
        else:
            assert (hazy > previous).all()
        previous = hazy


def test_the_top_is_farther_than_the_bottom(seeded: Callable) -> None:
    depths = torch.stack([random_depth((1, 40, 40), seeded(seed)) for seed in range(20)])
    assert depths[..., :10, :].mean() > depths[..., -10:, :].mean() + 0.2
    steps = depths.diff(dim=-1).abs()
    assert steps.mean() < 0.02  # smooth, but for the outlines of things
    assert steps.max() < 0.5


def test_pictures_of_a_batch_have_their_own_depths(seeded: Callable) -> None:
    depths = random_depth((2, 1, 20, 20), seeded(0))
    assert not torch.equal(depths[0], depths[1])
    assert depths.amin((1, 2, 3)).tolist() == pytest.approx([0.2, 0.2], abs=1e-6)
    assert depths.amax((1, 2, 3)).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


def test_a_small_part_of_a_scene_has_little_relief(seeded: Callable) -> None:
    black = torch.zeros(3, 40, 50)
    for relief in (0.01, 0.3, 1.0):
        hazy = Haze().apply(black, seeded(2), density=1.0, airlight=0.8, relief=relief)
        clear = 1 - hazy / hazy.amax((1, 2), keepdim=True) * (1 - torch.exp(torch.tensor(-1.0)))
        depth = -torch.log(clear)
        assert depth.amax().item() == pytest.approx(1, abs=1e-4)
        assert depth.amin().item() == pytest.approx(1 - 0.8 * relief, abs=1e-4)


def test_things_stand_at_distances_of_their_own(seeded: Callable) -> None:
    """Within a thing the map is flat, and between two it jumps: most steps are tiny, a few are large."""
    field = things((1, 96, 96), seeded(3))[0]
    steps = field.diff(dim=1).abs()
    assert (steps < 1e-3).float().mean() > 0.6
    assert steps.max() > 0.05
    assert field.min() >= 0
    assert field.max() <= 1
