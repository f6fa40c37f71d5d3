"""Noise that is coarser than a pixel is measured wave by wave."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from undegrade.degradations import DEGRADATIONS
from undegrade.denoising import NoiseLevel, find_noise, refine
from undegrade.denoising.spectrum import EXCESS, coarse_noise, spread, waves
from undegrade.images import jpeg_roundtrip, read_picture
from undegrade.metrics import psnr, quantise
from undegrade.transform import squares, turned

Pixels = NDArray[np.float32]


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return read_picture(Path(__file__).parents[2] / "examples" / "cat-well.png").pixels


def coarse(shape: tuple[int, ...], sigma: float) -> Pixels:
    """White noise, to each value half of each neighbour's added."""
    noise = np.random.default_rng(0).normal(0, sigma / 255, shape)
    noise = noise + (np.roll(noise, 1, 1) + np.roll(noise, -1, 1)) / 2
    return (noise + (np.roll(noise, 1, 2) + np.roll(noise, -1, 2)) / 2).astype(np.float32)


def test_each_wave_has_its_strength(photo: Pixels) -> None:
    noise = coarse(photo.shape, 6)
    found = coarse_noise([np.clip(photo + noise, 0, 1)])
    assert found is not None
    truth = np.sqrt(np.square(squares(turned(noise), 8)).mean((1, 3)))
    ratio = spread(*found, 8) / EXCESS / truth
    assert np.median(ratio) == pytest.approx(1, abs=0.25)
    assert np.abs(np.log(ratio[:, :4, :4])).max() < 0.6  # most of the noise


def test_a_spread_is_a_plane_through_the_logarithms() -> None:
    sigmas, slopes = np.array([1, 2, 3], np.float32), np.array([[0, 0], [1, 0], [0.5, -1]], np.float32)
    made = spread(sigmas, slopes, 16)
    np.testing.assert_allclose(made[0], 1)
    np.testing.assert_allclose(made[1], 2 * np.exp(waves(16))[:, None].repeat(16, 1), rtol=1e-5)
    np.testing.assert_allclose(np.exp(np.log(made[2]).mean()), 3, rtol=1e-5)
    assert made[2, 0, -1] > made[2, 0, 0] > made[2, -1, 0]


@pytest.mark.parametrize("sigma", [3, 10, 30])
def test_even_noise_is_not_coarse(photo: Pixels, sigma: float) -> None:
    noise = np.random.default_rng(0).normal(0, sigma / 255, photo.shape).astype(np.float32)
    bad = quantise(np.clip(photo + noise, 0, 1))
    assert coarse_noise([bad]) is None
    found = find_noise([bad])
    assert found is not None
    assert not found.slopes.any()


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("quality", [None, 90])
def test_a_cameras_noise_is_taken_away_better(photo: Pixels, gray: bool, quality: int | None) -> None:
    camera = DEGRADATIONS["camera_noise"]()
    clean = photo.mean(0, keepdims=True).repeat(3, 0) if gray else photo
    rng = torch.Generator().manual_seed(0)
    bad = quantise(camera.degrade(torch.from_numpy(clean), rng, camera.middle()).numpy())
    if gray:
        bad = bad[:1].repeat(3, 0)
    if quality:
        bad = jpeg_roundtrip(bad, quality)
    found = find_noise([bad])
    assert found is not None
    assert (found.slopes[0] > 0.3).all()
    even = NoiseLevel(sigmas=found.sigmas)
    gains = [psnr(np.clip(refine(bad, bad, one), 0, 1), clean) - psnr(bad, clean) for one in (found, even)]
    assert gains[0] > max(2.5, gains[1] + 1)


def test_squares_that_are_cut_off_say_nothing(photo: Pixels) -> None:
    bad = np.clip(photo + coarse(photo.shape, 6), 0, 1)
    bars = bad.copy()
    bars[:, :128] = 0
    whole, rest = coarse_noise([bad]), coarse_noise([bars])
    assert whole is not None
    assert rest is not None
    np.testing.assert_allclose(rest[0], whole[0], rtol=0.3)
    assert coarse_noise([np.zeros_like(bad)]) is None
