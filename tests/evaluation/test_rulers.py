from collections.abc import Callable

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from undegrade.errors import UndegradeError
from undegrade.evaluation.rulers import RULERS, find_ruler

BOTH = ("psnr", "ssim")


def test_each_says_what_it_is() -> None:
    assert set(RULERS) == {"undegrade", "dcpt", "maskdcpt", "promptir", "y"}
    for name, ruler in RULERS.items():
        assert ruler.name == name
        assert ruler.says
        assert len((type(ruler).__doc__ or "").split()) > 12


def test_the_noise_of_dcpt_is_that_of_seed_0_neither_clipped_nor_rounded(photo: Callable) -> None:
    clean = photo()
    noisy = RULERS["dcpt"].noisy(clean, 25)
    assert noisy is not None
    np.random.seed(0)  # noqa: NPY002  what those tests do
    drawn = np.random.normal(0, 25 / 255.0, (60, 50, 3))  # noqa: NPY002
    np.testing.assert_allclose(noisy, clean + drawn.transpose(2, 0, 1), atol=1e-6)
    assert noisy.min() < 0 or noisy.max() > 1


def test_the_others_clip_it(photo: Callable) -> None:
    bright = np.clip(photo() + 0.2, 0, 1)
    raw, clipped, whole = (RULERS[name].noisy(bright, 25) for name in ("dcpt", "maskdcpt", "promptir"))
    np.testing.assert_array_equal(clipped, np.clip(raw, 0, 1))
    np.testing.assert_allclose(whole * 255, np.round(whole * 255), atol=1e-4)
    assert (whole <= clipped + 1e-6).all()  # cut downwards
    assert (clipped - whole).max() < 1 / 255 + 1e-6
    assert RULERS["undegrade"].noisy(bright, 25) is None


def test_promptir_takes_the_middle_of_a_multiple_of_16() -> None:
    picture = np.arange(3 * 37 * 50, dtype=np.float32).reshape(3, 37, 50)
    np.testing.assert_array_equal(RULERS["promptir"].take(picture), picture[:, 2:34, 1:49])
    with pytest.raises(UndegradeError, match="10 x 40 pixels; the ruler promptir needs 16"):
        RULERS["promptir"].take(np.zeros((3, 40, 10), np.float32))


def test_what_is_rounded_and_what_is_not(photo: Callable) -> None:
    clean = photo()
    restored = np.float32(clean + 0.3 / 255)
    assert RULERS["undegrade"].measure(restored, clean, BOTH)["psnr"] == 100
    assert RULERS["dcpt"].measure(restored, clean, BOTH)["psnr"] == 100
    assert RULERS["maskdcpt"].measure(restored, clean, BOTH)["psnr"] == pytest.approx(58.6, abs=0.1)


def test_promptir_is_scikit_image_as_it_comes(photo: Callable) -> None:
    clean = photo()
    restored = np.clip(clean + np.random.default_rng(0).normal(0, 0.1, clean.shape), 0, 1).astype(np.float32)
    found = RULERS["promptir"].measure(restored, clean, BOTH)
    one, other = restored.transpose(1, 2, 0), clean.transpose(1, 2, 0)
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(other, one, data_range=1), abs=1e-6)
    expected = structural_similarity(other, one, channel_axis=2, data_range=1)
    assert found["ssim"] == pytest.approx(expected, abs=1e-6)
    assert RULERS["undegrade"].measure(restored, clean, BOTH)["ssim"] != pytest.approx(expected, abs=1e-4)


def test_luma_is_that_of_scikit_image_without_the_border(photo: Callable) -> None:
    clean = photo()
    restored = np.round(np.clip(clean * 0.9, 0, 1) * 255).astype(np.float32) / 255
    found = find_ruler("y", border=4).measure(restored, clean, ("psnr",))
    one, other = (rgb2ycbcr(p.transpose(1, 2, 0).astype(np.float64))[4:-4, 4:-4, 0] for p in (restored, clean))
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(other, one, data_range=255), abs=1e-4)


def test_a_border_is_part_of_the_name(photo: Callable) -> None:
    clean = photo()
    restored = clean.copy()
    restored[:, 0] = 0  # wrong at the edge alone
    assert find_ruler("undegrade").measure(restored, clean, ("psnr",))["psnr"] < 40
    ruler = find_ruler("undegrade", border=1)
    assert ruler.measure(restored, clean, ("psnr",))["psnr"] == 100
    assert ruler.name == "undegrade, border 1"


def test_wrong_pictures_are_named(photo: Callable) -> None:
    clean, ruler = photo(), RULERS["undegrade"]
    with pytest.raises(UndegradeError, match="50 x 59 pixels, the clean one 50 x 60"):
        ruler.measure(clean[:, 1:], clean, BOTH)
    wrong = clean.copy()
    wrong[0, 0, 0] = np.nan
    with pytest.raises(UndegradeError, match="no numbers"):
        ruler.measure(wrong, clean, BOTH)
    with pytest.raises(UndegradeError, match="10 x 10 pixels; ssim needs at least 11"):
        ruler.measure(clean[:, :10, :10], clean[:, :10, :10], BOTH)
    with pytest.raises(UndegradeError, match="50 x 60 pixels; nothing is left within a border of 25"):
        find_ruler("y", border=25).measure(clean, clean, BOTH)
    with pytest.raises(UndegradeError, match="'ruler' is not known; known are undegrade"):
        find_ruler("ruler")
