from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.degradations.base import uniform
from undegrade.degradations.raindrops import OUTLINE, Raindrops, cover, draw_lobes, place_drops


def drops_of(seed: int, shape: tuple[int, int, int], density: float, diameter: float) -> Tensor:
    """What `place_drops` gives when `apply` has that seed: it draws the blur and the light before."""
    rng = torch.Generator().manual_seed(seed)
    for _ in range(4):
        uniform(rng, 0, 1)
    return place_drops(shape, density, diameter, rng)


@pytest.mark.parametrize("seed", range(3))
def test_outside_the_drops_every_pixel_is_untouched(seed: int, grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 60, 80)
    rainy = Raindrops().apply(clean, seeded(seed), density=8.0, diameter=16.0)
    thickness = drops_of(seed, (2, 60, 80), 8.0, 16.0)[0]
    same = (rainy == clean).all(1)
    assert same[thickness == 0].all()
    assert (~same)[thickness > OUTLINE].float().mean() > 0.99
    assert 0.005 < (thickness > OUTLINE).float().mean() < 0.3
    assert not torch.equal(thickness[0], thickness[1])  # each picture has its own


def test_the_drops_cover_the_area_that_density_and_diameter_state(seeded: Callable) -> None:
    """Radii spread evenly in their logarithm from 0.3 to 1 have a mean square of 0.378; side lobes add a little."""
    thickness = place_drops((60, 200, 200), 1.0, 12.0, seeded(0))[0]
    expected = 4 * 3.1416 * 6**2 * 0.378 / 200**2
    assert (thickness > OUTLINE).float().mean().item() == pytest.approx(1.08 * expected, rel=0.12)


def test_drops_have_several_sizes_are_not_round_and_some_run_down(seeded: Callable) -> None:
    radius, places, reach, squash = draw_lobes(400, 10.0, seeded(1))
    assert 3 <= radius.min() < 3.2
    assert 9.8 < radius.max() <= 10
    assert (reach > 0).all()
    assert 0.8 <= squash.min() < 0.85 < 1.15 < squash.max() <= 1.2
    above = (places[:, 1:, 0] < -0.6 * radius[:, None]) & (places[:, 1:, 1].abs() < 0.3 * radius[:, None])
    assert 0.15 < above.all(1).float().mean() < 0.3  # the tails of running drops
    assert (places[:, 0] == 0).all()


def test_drops_run_into_each_other(seeded: Callable) -> None:
    """Water adds up, so the thickness has no edge inside the water where one drop would lie over another."""
    thickness = place_drops((1, 200, 200), 6.0, 100.0, seeded(0))[0, 0]
    assert (thickness > 1.1).any()
    steps = torch.maximum(thickness.diff(dim=0)[:, 1:].abs(), thickness.diff(dim=1)[1:].abs())
    assert steps.max() < 0.45


def test_the_outline_is_as_soft_as_the_lens_is_out_of_focus() -> None:
    """Across the outline of a lobe of reach 50 the cover goes from 0 to 1 within two radii of the blur."""
    place = torch.linspace(0, 1.2, 2401)
    thickness = (1 - place**2).clamp_min(0) ** 2
    for blur in (1.0, 2.0, 4.0):
        amount = cover(thickness, torch.tensor(50.0), blur)
        partly = ((amount > 0.001) & (amount < 0.999)).sum().item() * 1.2 / 2400 * 50
        assert partly == pytest.approx(2 * blur, rel=0.15)
        assert amount[(place - 0.707).abs().argmin()].item() == pytest.approx(0.5, abs=0.05)
        assert amount[0] == 1
        assert amount[-1] == 0


def test_the_scene_stands_upside_down_in_a_drop(seeded: Callable) -> None:
    left_bright = torch.linspace(0.8, 0.2, 120).expand(3, 120, 120)
    found = 0
    for seed in range(12):
        rainy = Raindrops().apply(left_bright, seeded(seed), density=0.0, diameter=60.0)  # one drop
        thickness, across, _, _ = drops_of(seed, (1, 120, 120), 0.0, 60.0)[:, 0]
        inside = thickness > 0.6
        sides = [rainy[0][inside & part] for part in (across < -0.2, across > 0.2)]
        if min(side.numel() for side in sides) > 40:
            found += 1
            assert sides[1].median() > sides[0].median() + 0.05
    assert found >= 4


def test_the_rim_is_dark_and_the_lower_side_bright(seeded: Callable) -> None:
    gray = torch.full((3, 120, 120), 0.5)
    for seed in (1, 2, 3):
        rainy = Raindrops().apply(gray, seeded(seed), density=0.0, diameter=80.0)[0]
        thickness, across, down, _ = drops_of(seed, (1, 120, 120), 0.0, 80.0)[:, 0]
        thick, upper, lower = thickness > 0.6, down < -0.1, down > 0.1
        rim = (thickness > 0.35) & (thickness < 0.5)
        if (thick & upper).sum() < 40 or (thick & lower).sum() < 40:
            continue
        assert rainy[rim & upper].median() < min(0.495, rainy[thick & lower].median() - 0.01)
        assert rainy[thick & lower].median() > 0.5
        middle = (thickness > 0.7) & (torch.hypot(across, down) < 0.2)
        assert rainy[middle].median().item() == pytest.approx(0.5, abs=0.06)  # a gray scene through clear water


def test_there_is_always_a_drop(seeded: Callable) -> None:
    for seed in range(5):
        assert (place_drops((1, 16, 16), 0.0, 4.0, seeded(seed))[0] > 0).any()
