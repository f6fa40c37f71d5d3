from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.degradations.base import uniform
from undegrade.degradations.raindrops import Raindrops, place_drops


def drops_of(seed: int, shape: tuple[int, int, int], density: float, diameter: float) -> Tensor:
    """What `place_drops` gives when `apply` has that seed: it draws the edge and the light before."""
    rng = torch.Generator().manual_seed(seed)
    for _ in range(2):
        uniform(rng, 0, 1)
    return place_drops(shape, density, diameter, rng)


@pytest.mark.parametrize("seed", range(3))
def test_outside_the_drops_every_pixel_is_untouched(seed: int, grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 60, 80)
    rainy = Raindrops().apply(clean, seeded(seed), density=8.0, diameter=16.0)
    wet = drops_of(seed, (2, 60, 80), 8.0, 16.0)[2] < 1
    same = (rainy == clean).all(1)
    assert same[~wet].all()
    assert (~same)[wet].float().mean() > 0.99
    assert 0.005 < wet.float().mean() < 0.3
    assert not torch.equal(wet[0], wet[1])  # each picture has its own


def test_the_drops_cover_the_area_that_density_and_diameter_state(seeded: Callable) -> None:
    """Radii spread evenly in their logarithm from 0.35 to 1 have a mean square of 0.418."""
    rim = place_drops((60, 200, 200), 1.0, 12.0, seeded(0))[2]
    expected = 4 * 3.1416 * 6**2 * 0.418 / 200**2
    # 240 drops, the areas of which spread by about 60 %; a few reach over the border or another drop.
    assert (rim < 1).float().mean().item() == pytest.approx(expected, rel=3 * 0.6 / 240**0.5 + 0.03)


def test_drops_have_several_sizes_and_are_not_quite_round(seeded: Callable) -> None:
    across, down, rim, radius = place_drops((1, 200, 200), 5.0, 30.0, seeded(1))
    sizes = radius[rim < 1].unique()
    assert len(sizes) >= 15
    assert sizes.min() >= 15 * 0.35
    assert sizes.max() <= 15.001
    edge = (rim > 0.9) & (rim < 1)
    reach = torch.hypot(across, down)[edge]
    assert reach.std() > 0.03
    assert reach.max() < 1.2


def test_the_scene_stands_upside_down_in_a_drop(seeded: Callable) -> None:
    sky_above = torch.linspace(0.8, 0.2, 120)[:, None].expand(3, 120, 120)
    for seed in (0, 2, 6, 8, 9):  # with all of the drop in the picture
        rainy = Raindrops().apply(sky_above, seeded(seed), density=0.0, diameter=60.0)  # one drop
        _, down, rim, _ = drops_of(seed, (1, 120, 120), 0.0, 60.0)[:, 0]
        inside = rim < 0.55
        upper, lower = (rainy[0][inside & part].median() for part in (down < -0.15, down > 0.15))
        assert lower > upper + 0.05


def test_the_rim_is_dark_and_a_glint_is_bright(seeded: Callable) -> None:
    gray = torch.full((3, 120, 120), 0.5)
    rainy = Raindrops().apply(gray, seeded(2), density=0.0, diameter=80.0)[0]
    rim = drops_of(2, (1, 120, 120), 0.0, 80.0)[2, 0]
    assert rainy[(rim > 0.8) & (rim < 0.95)].mean() < 0.49
    assert rainy[rim < 0.7].max() > 0.7
    assert rainy[rim < 0.4].median().item() == pytest.approx(0.5, abs=0.02)  # a gray scene through clear water


def test_there_is_always_a_drop(seeded: Callable) -> None:
    for seed in range(5):
        assert (place_drops((1, 16, 16), 0.0, 4.0, seeded(seed))[2] < 1).any()
