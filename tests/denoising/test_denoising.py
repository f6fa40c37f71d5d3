"""Noise is measured, and taken away more finely than a network does it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.denoising import NoiseLevel, find_noise, refine
from undegrade.denoising.noise import filter_share
from undegrade.images import read_picture
from undegrade.metrics import psnr, quantise

Pixels = NDArray[np.float32]


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return read_picture(Path(__file__).parents[2] / "examples" / "cat-well.png").pixels


def noisy(photo: Pixels, sigma: float) -> Pixels:
    noise = np.random.default_rng(0).normal(0, sigma / 255, photo.shape)
    return quantise(np.clip(photo + noise.astype(np.float32), 0, 1))


@pytest.mark.parametrize("sigma", [8, 15, 25])
def test_the_strength_of_noise_is_measured(photo: Pixels, sigma: float) -> None:
    found = find_noise([noisy(photo, sigma)])
    assert found is not None
    np.testing.assert_allclose(found.sigmas * 255, sigma, rtol=0.15)


def test_noise_is_measured_in_all_parts(photo: Pixels) -> None:
    bad = noisy(photo, 15)
    parts = [bad[:, :96, :96], bad[:, 100:228, 100:200], bad[:, -80:, -96:]]
    found = find_noise(parts)
    assert found is not None
    np.testing.assert_allclose(found.sigmas * 255, 15, rtol=0.15)


def test_black_bars_say_nothing(photo: Pixels) -> None:
    bad = noisy(photo, 15)
    bad[:, :200] = 0
    found = find_noise([bad])
    assert found is not None
    np.testing.assert_allclose(found.sigmas * 255, 15, rtol=0.15)
    assert find_noise([np.zeros((3, 96, 96), np.float32)]) is None


def test_nothing_is_measured_in_small_parts_or_flat_pictures(photo: Pixels) -> None:
    assert find_noise([noisy(photo, 15)[:, :40]]) is None
    assert find_noise([np.full((3, 96, 96), 0.5, np.float32)]) is None


@pytest.mark.parametrize(("sigma", "least"), [(5, 2), (15, 5.5), (25, 7.5)])
def test_a_poor_pilot_is_made_better(photo: Pixels, sigma: float, least: float) -> None:
    bad = noisy(photo, sigma)
    pilot = (bad + np.roll(bad, 1, 1) + np.roll(bad, 1, 2)) / np.float32(3)  # blurred, and still noisy
    found = find_noise([bad])
    assert found is not None
    made = refine(bad, pilot, found)
    assert made.shape == bad.shape
    assert made.dtype == np.float32
    assert psnr(np.clip(made, 0, 1), photo) - psnr(bad, photo) > least
    assert psnr(made, photo) > psnr(pilot, photo) + 1


def test_a_better_pilot_makes_it_better_still(photo: Pixels) -> None:
    bad = noisy(photo, 25)
    found = find_noise([bad])
    assert found is not None
    assert psnr(refine(bad, photo, found), photo) > psnr(refine(bad, bad, found), photo) + 1


def test_parts_of_a_picture_are_refined_as_the_whole(photo: Pixels) -> None:
    bad = noisy(photo, 15)
    found = find_noise([bad])
    assert found is not None
    whole, part = refine(bad, photo, found), refine(bad[:, 64:224, 64:224], photo[:, 64:224, 64:224], found)
    np.testing.assert_allclose(part[:, 32:-32, 32:-32], whole[:, 96:192, 96:192], atol=2e-3)


def test_no_noise_to_speak_of_changes_nothing(photo: Pixels) -> None:
    made = refine(photo, photo, NoiseLevel(sigmas=np.full(3, 1e-4, np.float32)))
    np.testing.assert_allclose(made, photo, atol=2e-3)


def test_the_more_noise_the_more_of_the_pilot_is_kept(photo: Pixels) -> None:
    shares = []
    for sigma in (4, 25, 60):
        bad, pilot = noisy(photo, sigma), np.float32(0.9) * photo
        found = find_noise([bad])
        assert found is not None
        first, finished = (filter_share(found, finished=finished) for finished in (False, True))
        shares.append((float(first), float(finished)))
        made = [refine(bad, pilot, found, finished=finished) - pilot for finished in (False, True)]
        np.testing.assert_allclose(made[0] * finished, made[1] * first, atol=1e-5)
    assert shares[0] == (1, 1)
    assert shares[1] == pytest.approx((0.95, 0.4), abs=0.05)
    assert shares[2] == pytest.approx((0.7, 0.2), abs=0.03)
