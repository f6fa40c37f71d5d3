from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.light import to_linear
from undegrade.degradations.moire import Moire


def bands(seed: int, pitch: float, contrast: float = 0.2) -> Tensor:
    """What is added to a gray picture (3, 192, 192) in linear light, without the pixel-fine pattern."""
    rng = torch.Generator().manual_seed(seed)
    seen = to_linear(Moire().apply(torch.full((3, 192, 192), 0.6), rng, contrast=contrast, pitch=pitch))
    coarse = F.avg_pool2d(seen, 2, stride=1)
    return coarse - coarse.mean((1, 2), keepdim=True)


@pytest.mark.parametrize("pitch", [1.8, 1.85, 2.2])
def test_red_bands_have_the_frequency_at_which_screen_and_red_pixels_beat(pitch: float) -> None:
    """Red is measured at every other pixel, so the screen's 1 / pitch folds down to |1 / pitch - 1 / 2|."""
    expected = abs(1 / pitch - 1 / 2)
    for seed in range(3):
        spectrum = torch.fft.fft2(bands(seed, pitch)[0]).abs()
        frequency = torch.fft.fftfreq(191)
        spectrum[frequency.abs() > 0.2] = 0  # the second harmonic and what is finer
        spectrum[:, frequency.abs() > 0.2] = 0
        down, across = (int(i) for i in torch.unravel_index(spectrum.argmax(), spectrum.shape))
        # The screen is turned by 3 degrees and its pitch uneven by 2 per cent at most: 0.03 and 0.011 cycles a pixel.
        assert abs(frequency[across]).item() == pytest.approx(expected, abs=0.025)
        assert abs(frequency[down]) < 0.05


def test_the_bands_are_coloured() -> None:
    """Blue lies 2 / 3 of a screen pixel and one camera pixel, 240 + 180 degrees, from red: cos(60) = 0.5 for stripes.

    The rows, 0.3 as strong and not split by colour, and the second harmonic count -0.09 and -0.045, of 1.18 in all.
    """
    for seed in range(3):
        red, green, blue = bands(seed, 1.9)
        likeness = torch.corrcoef(torch.stack((red.flatten(), blue.flatten())))[0, 1].item()
        assert likeness == pytest.approx(0.31, abs=0.15)
        assert red.std() > 2 * green.std()  # green is measured twice as densely and does not fold


def test_the_bands_are_as_strong_as_the_grid() -> None:
    one, two = (bands(0, 1.9, contrast=c)[0].std().item() / (1 - 0.5 * c) for c in (0.1, 0.2))
    assert two == pytest.approx(2 * one, rel=0.02)


def test_without_contrast_or_detail_nothing_happens(seeded: Callable) -> None:
    flat = torch.tensor([0.2, 0.5, 0.9])[:, None, None].expand(3, 17, 20)
    seen = Moire().apply(flat, seeded(0), contrast=0.0, pitch=1.9)
    torch.testing.assert_close(seen, flat, atol=1e-5, rtol=0)


def test_the_picture_stays_in_place(seeded: Callable) -> None:
    y, x = torch.arange(64.0)[:, None], torch.arange(64.0)
    spot = (0.1 + 0.6 * torch.exp(-((y - 20) ** 2 + (x - 40) ** 2) / 50)).expand(3, 64, 64)
    for seed in range(3):
        seen = Moire().apply(spot, seeded(seed), contrast=0.1, pitch=1.9)
        weight = (seen.mean(0) - 0.3).clamp_min(0)
        middle = [((weight * axis).sum() / weight.sum()).item() for axis in (y, x)]
        assert middle == pytest.approx([20, 40], abs=0.4)
