"""Blurs are found in pictures, and undone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from undegrade.deblurring import Blur, deconvolve, find_defocus, find_shake
from undegrade.deblurring.defocus import disc, find_radius, noise_of, spectrum
from undegrade.deblurring.fourier import power_of_slopes, slopes, summed_slopes, transfer, wrapped
from undegrade.deblurring.shake import LARGE, SIDE, _strongest, find_path
from undegrade.degradations import DEGRADATIONS
from undegrade.degradations.convolution import convolve
from undegrade.degradations.defocus_blur import aperture
from undegrade.degradations.motion_blur import camera_path
from undegrade.images import read_picture
from undegrade.images.colour import to_display, to_linear
from undegrade.metrics import psnr, quantise

Pixels = NDArray[np.float32]
FIND = {"motion_blur": find_shake, "defocus_blur": find_defocus}
PHOTO = Path(__file__).parents[2] / "examples" / "cat-well.png"


@pytest.fixture(scope="module")
def photo() -> Pixels:
    pixels = read_picture(PHOTO).pixels
    top, left = ((length - 256) // 2 for length in pixels.shape[1:])
    return pixels[:, top : top + 256, left : left + 256]


def spoiled(photo: Pixels, kind: str, level: float, seed: int = 0) -> Pixels:
    step = DEGRADATIONS[kind]()
    rng = torch.Generator().manual_seed(seed)
    return quantise(step.degrade(torch.from_numpy(photo), rng, step.at_level(level)).numpy())


def blurred(photo: Pixels, kernel: torch.Tensor) -> Pixels:
    light = convolve(torch.from_numpy(to_linear(photo)), kernel).numpy()
    return quantise(to_display(np.clip(light, 0, 1)))


def gain(made: Pixels, spoiled: Pixels, clean: Pixels) -> float:
    return psnr(made, clean) - psnr(spoiled, clean)


def test_a_known_path_is_undone(photo: Pixels) -> None:
    path = camera_path(torch.Generator().manual_seed(1), length=12, shake=0.5)
    bad = blurred(photo, path)
    made = deconvolve(bad, Blur(kernel=path.numpy(), caution=3e-4))
    assert made.shape == photo.shape
    assert made.dtype == np.float32
    assert made.min() >= 0
    assert made.max() <= 1
    assert gain(made, bad, photo) > 5


def test_what_is_not_blurred_stays(photo: Pixels) -> None:
    made = deconvolve(photo, Blur(kernel=np.ones((1, 1), np.float32), caution=1e-6))
    assert psnr(made, photo) > 50


def test_borders_are_undone_too(photo: Pixels) -> None:
    """A photograph goes on beyond its border; the mirror image that is assumed at first is wrong."""
    path = camera_path(torch.Generator().manual_seed(1), length=12, shake=0.5)
    bad = blurred(photo, path)[:, 32:-32, 32:-32]
    made, clean = deconvolve(bad, Blur(kernel=path.numpy(), caution=3e-4)), photo[:, 32:-32, 32:-32]
    edge = np.s_[:, :8]
    assert gain(made[edge], bad[edge], clean[edge]) > 2


@pytest.mark.parametrize("level", [0.3, 0.5, 0.9])
def test_the_radius_of_a_defocus_is_found(photo: Pixels, level: float) -> None:
    step = DEGRADATIONS["defocus_blur"]()
    radius = step.at_level(level)["radius"]
    bad = blurred(photo, aperture(radius, blades=0, turn=0.0))
    assert find_radius(to_linear(bad).mean(0)[None]) == pytest.approx(radius, rel=0.06)


@pytest.mark.parametrize("blades", [5, 6, 8])
def test_a_bladed_aperture_is_taken_for_the_disc_of_its_size(photo: Pixels, blades: int) -> None:
    bad = blurred(photo, aperture(3.0, blades=blades, turn=0.3))
    blur = find_defocus([bad])
    assert blur is not None
    assert gain(deconvolve(bad, blur), bad, photo) > 2


@pytest.mark.parametrize(("kind", "level"), [("motion_blur", 0.2), ("motion_blur", 0.5), ("defocus_blur", 0.5)])
def test_a_blur_is_found_and_undone(photo: Pixels, kind: str, level: float) -> None:
    bad = spoiled(photo, kind, level)
    blur = FIND[kind]([bad])
    assert blur is not None
    assert blur.kernel.sum() == pytest.approx(1, abs=1e-4)
    assert blur.kernel.min() >= 0
    assert gain(deconvolve(bad, blur), bad, photo) > 2


def test_a_path_is_looked_for_in_all_parts_together(photo: Pixels) -> None:
    """A part without anything in it says nothing, and takes nothing away."""
    bad = spoiled(photo, "motion_blur", 0.5)
    parts = [np.full((3, 128, 128), 0.5, np.float32), bad[:, :128, :128], bad[:, 64:192, 64:192]]
    blur = find_shake(parts)
    assert blur is not None
    assert gain(deconvolve(bad, blur), bad, photo) > 1


def test_a_long_path_is_looked_for_in_a_larger_square(photo: Pixels) -> None:
    straight = torch.zeros(23, 23)
    straight[11] = 1 / 23
    found = find_path(to_linear(blurred(photo, straight)).mean(0)[None])
    assert found is not None
    assert found.shape == (LARGE, LARGE)
    assert found[LARGE // 2 - 1 : LARGE // 2 + 2].sum() > 0.8


def test_a_path_lies_in_the_middle(photo: Pixels) -> None:
    found = find_path(to_linear(spoiled(photo, "motion_blur", 0.5)).mean(0)[None])
    assert found is not None
    assert found.shape == (SIDE, SIDE)
    places = np.arange(SIDE) - SIDE // 2
    for axis in (0, 1):
        assert float((found.sum(axis) * places).sum()) == pytest.approx(0, abs=0.1)


def test_noise_makes_cautious(photo: Pixels) -> None:
    bad = spoiled(photo, "defocus_blur", 0.5)
    rng = np.random.default_rng(0)
    noisy = quantise(np.clip(bad + rng.normal(0, 0.03, bad.shape).astype(np.float32), 0, 1))
    quiet, careful = find_defocus([bad]), find_defocus([noisy])
    assert quiet is not None
    assert careful is not None
    assert careful.caution > 10 * quiet.caution
    rash = deconvolve(noisy, Blur(kernel=careful.kernel, caution=quiet.caution))
    made = deconvolve(noisy, careful)
    assert gain(made, noisy, photo) > 1 > 0 > gain(rash, noisy, photo)


@pytest.mark.parametrize("kind", FIND)
def test_nothing_is_found_in_small_parts(photo: Pixels, kind: str) -> None:
    assert FIND[kind]([photo, photo[:, :40]]) is None


@pytest.mark.parametrize("kind", FIND)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_in_a_flat_picture_no_blur_is_found(kind: str, value: float) -> None:
    assert FIND[kind]([np.full((3, 96, 80), value, np.float32)]) is None


def test_gray_pictures_are_treated_with_the_same_caution(photo: Pixels) -> None:
    rng = np.random.default_rng(0)
    gray = np.repeat(photo.mean(0, keepdims=True), 3, 0)
    colours, one = rng.normal(0, 0.05, photo.shape), rng.normal(0, 0.05, photo.shape[1:])
    found = [find_defocus([np.clip(gray + noise, 0, 1).astype(np.float32)]) for noise in (colours, one)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].caution == pytest.approx(found[1].caution, rel=0.15)


def test_in_stripes_nothing_is_taken_from_the_border() -> None:
    """Slopes in one direction alone tell of no path; those at the border, of the mirrored picture, never count."""
    stripes = np.repeat((np.arange(128) // 8 % 2).astype(np.float32)[None], 128, 0)
    strong, threshold = _strongest(np.stack([stripes]), SIDE, None)
    assert threshold > 0
    for slope in strong:
        assert not slope[:, :SIDE].any()
        assert not slope[:, :, :SIDE].any()


def test_a_picture_smaller_than_the_kernel_is_refused(photo: Pixels) -> None:
    with pytest.raises(ValueError, match="must not be smaller than the kernel"):
        deconvolve(photo[:, :5], Blur(kernel=disc(3.0), caution=1e-4))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_flat_part_stays_flat(value: float) -> None:
    flat = np.full((3, 96, 80), value, np.float32)
    np.testing.assert_allclose(deconvolve(flat, Blur(kernel=disc(3.0), caution=1e-4)), flat, atol=1e-3)


def test_a_disc_sums_to_one_and_is_as_wide_as_it_says() -> None:
    kernel = disc(3.0)
    reach = np.arange(len(kernel)) - len(kernel) // 2
    assert kernel.sum() == pytest.approx(1)
    spread = float((kernel * (reach[:, None] ** 2 + reach**2)).sum())
    assert spread == pytest.approx(3.0**2 / 2, rel=0.05)


def test_slopes_and_their_adjoint(photo: Pixels) -> None:
    plane = photo[0]
    right, below = slopes(plane)
    np.testing.assert_allclose((right * right + below * below).sum(), (plane * summed_slopes(right, below)).sum(), 1e-3)
    power = np.fft.rfft2(summed_slopes(right, below)) / np.fft.rfft2(plane)
    np.testing.assert_allclose(power[5:9, 5:9].real, power_of_slopes(plane.shape)[5:9, 5:9], rtol=1e-3)


def test_a_transfer_is_a_convolution(photo: Pixels) -> None:
    kernel = np.zeros((3, 3), np.float32)
    kernel[1, 2] = 1  # moves the picture to the right
    moved = np.fft.irfft2(transfer(kernel, photo.shape[1:]) * np.fft.rfft2(photo), s=photo.shape[1:])
    np.testing.assert_allclose(moved, np.roll(photo, 1, 2), atol=1e-5)


def test_opposite_borders_meet(photo: Pixels) -> None:
    wide = wrapped(photo, 16)
    np.testing.assert_array_equal(wide[:, 16:-16, 16:-16], photo)
    inside = np.abs(np.diff(photo, axis=2)).max()
    assert np.abs(wide[:, :, 0] - wide[:, :, -1]).max() < inside


def test_the_variance_of_noise_is_told() -> None:
    plane = np.random.default_rng(0).normal(0.5, 0.02, (128, 128))
    assert noise_of(*spectrum(plane)) == pytest.approx(4e-4, rel=0.1)
