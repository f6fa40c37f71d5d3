import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.degradations.faded import BLACK, STAIN, Faded
from undegrade.degradations.light import to_display, to_linear


def density(display: Tensor) -> Tensor:
    """Optical density of display values."""
    return -torch.log10(to_linear(display).clamp_min(1e-6))


def law(seeded: Callable, seed: int, fade: float, stain: float) -> tuple[Tensor, Tensor]:
    """Slope and offset (3, 1, 1) of the new density over the old, found from two grays."""
    light, dark = (torch.full((3, 16, 16), value) for value in (0.9, 0.3))
    new_light, new_dark = (density(Faded().apply(x, seeded(seed), fade=fade, stain=stain)) for x in (light, dark))
    slope = (new_dark - new_light) / (density(dark) - density(light))
    return slope[:, :1, :1], (new_light - slope * density(light))[:, :1, :1]


@pytest.mark.parametrize(("fade", "stain"), [(0.1, 0.02), (0.6, 0.25), (0.0, 0.1)])
def test_densities_shrink_by_the_lost_dyes_and_rise_by_the_stain(fade: float, stain: float, seeded: Callable) -> None:
    for seed in range(4):
        slope, offset = law(seeded, seed, fade, stain)
        lost = 1 - slope.flatten()
        assert lost.mean().item() == pytest.approx(fade, abs=1e-3 + 0.01 * fade)
        assert (lost.max() - lost.min()).item() <= 0.5 * fade + 1e-3
        assert offset.flatten().tolist() == pytest.approx([stain * share for share in STAIN], abs=1e-3)


def test_undoing_the_law_recovers_all_but_the_deepest_black(grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 30, 31, low=0.1)
    spoiled = Faded().apply(clean, seeded(2), fade=0.5, stain=0.2)
    slope, offset = law(seeded, 2, 0.5, 0.2)
    found = to_display(10 ** -((density(spoiled) - offset) / slope))
    torch.testing.assert_close(found, clean, atol=2e-4, rtol=0)


def test_black_is_lifted_and_white_yellowed(seeded: Callable) -> None:
    black = to_linear(Faded().apply(torch.zeros(3, 16, 16), seeded(3), fade=0.5, stain=0.0))
    slope, _ = law(seeded, 3, 0.5, 0.0)
    assert [math.log10(v) for v in black[:, 0, 0].tolist()] == pytest.approx(
        (-BLACK * slope).flatten().tolist(), abs=2e-3
    )
    red, green, blue = Faded().apply(torch.ones(3, 16, 16), seeded(3), fade=0.5, stain=0.2)[:, 0, 0].tolist()
    assert red > green > blue
    white = torch.ones(3, 16, 16)
    torch.testing.assert_close(Faded().apply(white, seeded(3), fade=0.5, stain=0.0), white, atol=1e-6, rtol=0)
