import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageCms

from undegrade.images import Picture, without_metadata
from undegrade.images.picture import Metadata


def unit(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    return photo.transpose(2, 0, 1) / np.float32(255)


# 8-bit colours in Display P3, and the same light in sRGB, by the primaries and the curve of both standards.
IN_P3 = np.array([[64, 64, 164], [179, 84, 109], [128, 128, 128], [100, 160, 100], [200, 90, 90]], np.float32)
IN_SRGB = np.array([[64, 64, 170], [193, 77, 109], [128, 128, 128], [78, 162, 93], [216, 81, 86]], np.float32)


def test_colours_look_the_same_without_the_profile(wide_profile: bytes) -> None:
    metadata = Metadata(xmp=b"<x/>", comments=(("Title", "x"),), resolution=(1.0, 1.0))
    alpha = np.linspace(0, 1, 5, dtype=np.float32).reshape(1, 1, 5)
    pixels = IN_P3.T[:, None] / 255
    bare = without_metadata(Picture(pixels=pixels, alpha=alpha, profile=wide_profile, metadata=metadata))
    assert bare.profile is None
    assert bare.metadata == Metadata()
    assert bare.alpha is alpha
    assert bare.notes == ()
    np.testing.assert_allclose(bare.pixels[:, 0].T * 255, IN_SRGB, atol=0.6)


def test_without_a_profile_no_pixel_changes(photo: NDArray[np.uint8]) -> None:
    pixels = unit(photo)
    assert without_metadata(Picture(pixels=pixels)).pixels is pixels


def test_srgb_stays_what_it_is_and_gray_stays_gray(photo: NDArray[np.uint8]) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    gray = unit(photo)[:1].repeat(3, axis=0)
    bare = without_metadata(Picture(pixels=gray, gray=True, profile=profile))
    assert bare.gray
    np.testing.assert_array_equal(bare.pixels[0], bare.pixels[2])
    np.testing.assert_array_equal(np.rint(bare.pixels * 255), np.rint(gray * 255))


def test_what_cannot_be_converted_is_noted(photo: NDArray[np.uint8], wide_profile: bytes) -> None:
    broken = without_metadata(Picture(pixels=unit(photo), profile=b"no profile at all"))
    assert broken.notes == ("The ICC profile is damaged: the colours were taken as sRGB.",)
    np.testing.assert_array_equal(broken.pixels, unit(photo))
    floats = without_metadata(Picture(pixels=unit(photo), bits=32, profile=wide_profile))
    assert floats.notes == ("Floats were rounded to 16 bits when their colours were converted to sRGB.",)


@pytest.mark.parametrize("height", [1, 7])
def test_any_size_is_converted(height: int, wide_profile: bytes) -> None:
    pixels = np.random.default_rng(0).random((3, height, 3), np.float32)
    assert without_metadata(Picture(pixels=pixels, profile=wide_profile)).pixels.shape == (3, height, 3)
