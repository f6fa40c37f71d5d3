import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.degradations.colour_cast import LUMINANCE, PER_MIRED, ColourCast
from undegrade.degradations.light import to_display, to_linear


def gains(seeded: Callable, seed: int, mired: float, tint: float) -> Tensor:
    """What the cast multiplies linear red, green and blue by."""
    gray = torch.full((3, 16, 16), 0.5)
    return (to_linear(ColourCast().apply(gray, seeded(seed), mired=mired, tint=tint)) / to_linear(gray))[:, 0, 0]


def black_body(kelvin: float) -> list[float]:
    """Linear sRGB, green 1, of Planck's law seen by the fits of Wyman et al., 2013, to the observer of 1931."""
    lobes = (
        ((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
        ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
        ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
    )
    wave = torch.arange(380, 781, 2, dtype=torch.float64)
    power = wave**-5 / torch.expm1(1.4388e7 / (wave * kelvin))
    seen = []
    for curve in lobes:
        bells = (a * torch.exp(-0.5 * ((wave - m) / torch.where(wave < m, s, t)) ** 2) for a, m, s, t in curve)
        seen.append((sum(bells) * power).sum())
    matrix = torch.tensor(((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570)))
    linear = matrix.double() @ torch.stack(seen)
    return (linear / linear[1]).tolist()


@pytest.mark.parametrize("kelvin", [3000, 4000, 5000, 8000])
def test_the_shift_is_that_of_black_bodies(kelvin: float) -> None:
    shift = 1e6 / kelvin - 1e6 / 6500
    for colour in (0, 2):
        slope = math.log(black_body(kelvin)[colour] / black_body(6500)[colour]) / shift
        assert slope == pytest.approx(PER_MIRED[colour], rel=0.1)


def test_gray_keeps_its_luminance_and_gets_the_stated_colour(seeded: Callable) -> None:
    seen = set()
    for seed in range(20):
        red, green, blue = gains(seeded, seed, 60.0, 0.1).tolist()
        weighed = sum(weight * gain for weight, gain in zip(LUMINANCE, (red, green, blue), strict=True))
        assert weighed == pytest.approx(1, abs=1e-4)
        warmth = math.log(red / blue)
        assert abs(warmth) == pytest.approx(60 * (PER_MIRED[0] - PER_MIRED[2]), rel=1e-3)
        warmer = math.copysign(1, warmth)
        tint = math.log(green / red) + warmer * 60 * PER_MIRED[0]
        assert abs(tint) == pytest.approx(0.1, abs=1e-3)
        seen.add((warmer, math.copysign(1, tint)))
    assert len(seen) == 4  # warm and cold, green and magenta


def test_dividing_by_the_gains_of_gray_recovers_the_picture(grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 30, 31, high=0.6)
    spoiled = ColourCast().apply(clean, seeded(4), mired=50.0, tint=0.1)
    found = to_display(to_linear(spoiled) / gains(seeded, 4, 50.0, 0.1)[:, None, None])
    torch.testing.assert_close(found, clean, atol=1e-5, rtol=0)
    assert (spoiled - clean).abs().max() > 0.05
