import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.light import to_display, to_linear
from undegrade.degradations.under_display import GRID, REACH, UnderDisplay, diffraction, lens, openings


@pytest.mark.parametrize("opening", [0.45, 0.6])
@pytest.mark.parametrize("spacing", [4.0, 8.0])
def test_stripes_diffract_into_the_orders_of_a_grating(spacing: float, opening: float) -> None:
    """Order m lies at m * spacing and has sinc(m * opening) ** 2 of the light of order 0."""
    kernel = diffraction(openings(GRID / spacing, opening, striped=True) * lens(0.38 * GRID))
    assert kernel.shape == (2 * REACH + 1, 2 * REACH + 1)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
    assert kernel.min() >= 0
    profile, half = kernel.sum(0), int(spacing / 2) - 1
    orders = [profile[REACH + int(m * spacing) - half : REACH + int(m * spacing) + half + 1].sum() for m in (-1, 0, 1)]
    expected = (math.sin(math.pi * opening) / (math.pi * opening)) ** 2
    assert (orders[2] / orders[1]).item() == pytest.approx(expected, rel=0.15, abs=0.02)
    assert orders[0].item() == pytest.approx(orders[2].item(), rel=1e-3)
    # Along the stripes there is nothing but the lens.
    assert kernel.sum(1)[REACH - 2 : REACH + 3].sum() > 0.9


def test_a_pentile_lattice_diffracts_both_ways() -> None:
    kernel = diffraction(openings(GRID / 6, 0.5, striped=False) * lens(0.38 * GRID))
    step = round(6 / math.sqrt(2))
    ghosts = [kernel[REACH + down * step, REACH + across * step].item() for down in (-1, 1) for across in (-1, 1)]
    between = kernel[REACH + 2 : REACH + 4, REACH].mean().item()
    assert min(ghosts) > 5 * between
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shot", [5e-4, 2e-3])
def test_a_flat_picture_keeps_the_stated_share_of_light_with_noise_of_the_stated_variance(
    shot: float, seeded: Callable
) -> None:
    flat = to_display(torch.full((3, 96, 96), 0.6))
    for seed in range(2):
        seen = to_linear(UnderDisplay().apply(flat, seeded(seed), spacing=4.0, transmission=0.5, shot=shot)).double()
        read = math.exp(2.18 * math.log(shot) + 1.2)
        for channel, tints in zip(seen, ((1.0,), (0.98, 0.93), (0.96, 0.72)), strict=True):
            mean, count = channel.mean().item(), channel.numel()
            variance = shot * mean + read
            assert min(abs(mean - 0.5 * 0.6 * tint) for tint in tints) < 3 * math.sqrt(variance / count) + 1e-4
            assert channel.var().item() == pytest.approx(variance, rel=3.5 * math.sqrt(2 / count))


def test_in_the_dark_the_noise_of_the_amplifier_remains(seeded: Callable) -> None:
    shot, black = 2e-3, torch.zeros(3, 96, 96)
    seen = to_linear(UnderDisplay().apply(black, seeded(0), spacing=4.0, transmission=0.5, shot=shot)).double()
    read = math.exp(2.18 * math.log(shot) + 1.2)
    # What is below zero is cut: half of the square is left, and it spreads by sqrt(5) of its mean.
    assert seen.square().mean().item() == pytest.approx(read / 2, rel=3 * math.sqrt(5 / black.numel()))


def test_red_is_spread_further_than_blue(seeded: Callable) -> None:
    point = torch.zeros(3, 97, 97)
    point[:, 48, 48] = 1
    for seed in range(4):
        image = to_linear(UnderDisplay().apply(point, seeded(seed), spacing=5.0, transmission=1.0, shot=1e-6))
        image = image * (image > 1e-3)  # without the noise
        y, x = torch.arange(97.0)[:, None] - 48, torch.arange(97.0) - 48
        red, _, blue = (image * torch.hypot(x, y)).sum((1, 2)) / image.sum((1, 2))
        assert red > 1.1 * blue
