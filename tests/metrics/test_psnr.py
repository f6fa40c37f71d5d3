import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from undegrade.metrics import psnr

RNG = np.random.default_rng(0)
CLEAN, OTHER = (RNG.random((3, 20, 30), dtype=np.float32) for _ in range(2))


def test_it_is_the_formula() -> None:
    mse = np.mean((OTHER.astype(np.float64) - CLEAN) ** 2)
    assert psnr(OTHER, CLEAN) == pytest.approx(10 * math.log10(1 / mse), abs=1e-4)


def test_it_is_scikit_images() -> None:
    assert psnr(OTHER, CLEAN) == pytest.approx(peak_signal_noise_ratio(CLEAN, OTHER, data_range=1.0), abs=1e-6)


@pytest.mark.parametrize(("step", "expected"), [(0.1, 20.0), (0.01, 40.0), (1 / 255, 48.1308)])
def test_known_values(step: float, expected: float) -> None:
    flat = np.full((3, 8, 8), 0.5, np.float32)
    assert psnr(flat + np.float32(step), flat) == pytest.approx(expected, abs=1e-3)


def test_it_is_symmetric_and_counts_every_channel() -> None:
    assert psnr(OTHER, CLEAN) == pytest.approx(psnr(CLEAN, OTHER))
    red = CLEAN.copy()
    red[0] = OTHER[0]
    assert psnr(OTHER, CLEAN) < psnr(red, CLEAN) < 100


def test_identical_pictures_have_the_ceiling_and_nothing_more() -> None:
    assert psnr(CLEAN, CLEAN.copy()) == 100
    nearly = CLEAN.copy()
    nearly[0, 0, 0] = np.nextafter(nearly[0, 0, 0], np.float32(2))
    assert psnr(nearly, CLEAN) == 100
