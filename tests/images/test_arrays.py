from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image

from undegrade.errors import UndegradeError
from undegrade.images import from_object, with_pixels

DEEP = ("I", "I;16", "I;16L", "I;16B")


def pillow_image(mode: str, photo: NDArray[np.uint8]) -> Image.Image:
    """The photo in any mode, with low bits set where the mode has them, and transparency where it can."""
    rgba = Image.fromarray(np.dstack([photo, photo[::-1, :, :1]]))
    if mode in DEEP:
        values = photo[:, :, 0].astype(np.uint16) * 257 ^ 0x35
        dtype = {"I": "<i4", "I;16B": ">u2"}.get(mode, "<u2")
        return Image.frombytes(mode, (56, 40), values.astype(dtype).tobytes())
    if mode == "F":
        return Image.fromarray(photo[:, :, 0] / np.float32(255))
    if mode in ("La", "PA"):
        return rgba.convert({"La": "LA", "PA": "P"}[mode]).convert(mode)
    return rgba.convert(mode) if mode in ("RGBA", "RGBa", "LA") else rgba.convert("RGB").convert(mode)


@pytest.mark.parametrize(
    ("shape", "gray", "alpha"),
    [
        ((4, 5), True, False),
        ((4, 5, 1), True, False),
        ((4, 5, 3), False, False),
        ((4, 5, 4), False, True),
        ((1, 1, 3), False, False),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_an_array_comes_back_as_it_was(shape: tuple[int, ...], gray: bool, alpha: bool, dtype: type[Any]) -> None:
    rng = np.random.default_rng(0)
    if np.issubdtype(dtype, np.floating):
        array = rng.random(shape, np.float32).astype(dtype)
    else:
        array = rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    kept = array.copy()
    picture, back = from_object(array)
    assert picture.gray == gray
    assert (picture.alpha is not None) == alpha
    result = back(picture)
    assert isinstance(result, np.ndarray)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, array)
    result[...] = 0
    np.testing.assert_array_equal(array, kept)


def test_channels_are_red_green_blue() -> None:
    array = np.zeros((2, 2, 3), np.uint8)
    array[:, :, 0] = 255
    picture, back = from_object(array)
    assert picture.pixels[:, 0, 0].tolist() == [1, 0, 0]
    darker = back(with_pixels(picture, picture.pixels * 0.5))
    assert isinstance(darker, np.ndarray)
    assert darker[0, 0].tolist() == [128, 0, 0]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\); expected \(H, W\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"expected \(H, W\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.int32), "int32; expected uint8, uint16, or floats"),
        (np.zeros((4, 4, 3), bool), "bool; expected uint8"),
        (np.full((4, 4, 3), 200.0), r"floats from 200 to 200; expected values in \[0, 1\]"),
        (np.full((4, 4, 3), -0.1), r"expected values in \[0, 1\]"),
        (np.full((4, 4, 3), np.nan), r"floats from nan to nan; expected values in \[0, 1\]"),
    ],
)
def test_other_arrays_are_refused(array: NDArray[np.generic], message: str) -> None:
    with pytest.raises(UndegradeError, match=message):
        from_object(array)


def test_other_objects_are_refused() -> None:
    with pytest.raises(UndegradeError, match="image: list; expected a path, a Pillow image or a numpy array"):
        from_object([[1, 2], [3, 4]])


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I", "I;16", "I;16L", "I;16B", "F"])
def test_a_pillow_image_comes_back_exactly(mode: str, photo: NDArray[np.uint8]) -> None:
    image = pillow_image(mode, photo)
    picture, back = from_object(image)
    assert picture.bits == (16 if mode in DEEP else 32 if mode == "F" else 8)
    assert picture.gray == (mode not in ("RGB", "RGBA"))
    result = back(picture)
    assert isinstance(result, Image.Image)
    assert result.mode == mode
    assert result.tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", ["La", "RGBa", "YCbCr", "HSV"])
def test_converted_modes_come_back_close(mode: str, photo: NDArray[np.uint8]) -> None:
    image = pillow_image(mode, photo)
    picture, back = from_object(image)
    result = back(picture)
    assert isinstance(result, Image.Image)
    assert result.mode == mode
    # Hue is a circle, so compare colours, to within the rounding of the conversion there and back.
    plain = {"La": "LA", "RGBa": "RGBA"}.get(mode, "RGB")
    found, wanted = (np.asarray(i.convert(plain), np.float64) for i in (result, image))
    assert np.abs(found - wanted).mean() < 1.5


@pytest.mark.parametrize(
    ("mode", "mode_back"), [("1", "L"), ("P", "RGB"), ("PA", "RGBA"), ("RGBX", "RGB"), ("CMYK", "RGB")]
)
def test_modes_that_cannot_hold_the_result_are_widened(mode: str, mode_back: str, photo: NDArray[np.uint8]) -> None:
    image = pillow_image(mode, photo)
    picture, back = from_object(image)
    result = back(picture)
    assert isinstance(result, Image.Image)
    assert result.mode == mode_back
    np.testing.assert_array_equal(np.asarray(result), np.asarray(image.convert(mode_back)))


def test_a_transparent_palette_keeps_its_transparency(photo: NDArray[np.uint8]) -> None:
    image = Image.fromarray(photo).quantize(8)
    image.info["transparency"] = 3
    picture, back = from_object(image)
    result = back(picture)
    assert isinstance(result, Image.Image)
    assert result.mode == "RGBA"
    assert "transparency" not in result.info
    np.testing.assert_array_equal(np.asarray(result), np.asarray(image.convert("RGBA")))


def test_pillow_info_is_kept(tmp_path: Path, photo: NDArray[np.uint8], exif: bytes, wide_profile: bytes) -> None:
    Image.fromarray(photo).save(tmp_path / "in.jpg", exif=exif, icc_profile=wide_profile, dpi=(300, 300))
    with Image.open(tmp_path / "in.jpg") as image:
        picture, back = from_object(image)
        result = back(picture)
        assert isinstance(result, Image.Image)
        assert picture.profile == wide_profile
        assert result.size == image.size  # not turned: the orientation travels with it
        assert result.info == image.info
        assert result.getexif()[ExifTags.Base.Orientation] == 6
        result.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as again:
        assert again.info["icc_profile"] == wide_profile


def test_exif_that_pillow_holds_apart_is_kept(photo: NDArray[np.uint8]) -> None:
    image = Image.fromarray(photo)
    image.getexif()[ExifTags.Base.Make] = "Cam"
    picture, back = from_object(image)
    result = back(picture)
    assert isinstance(result, Image.Image)
    assert result.getexif()[ExifTags.Base.Make] == "Cam"


def test_pillow_images_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match="image: Pillow mode LAB; expected one of"):
        from_object(Image.new("LAB", (4, 4)))
    with pytest.raises(UndegradeError, match="integers from 70000 to 70000; expected 0 to 65535"):
        from_object(Image.new("I", (4, 4), 70000))
    with pytest.raises(UndegradeError, match=r"expected values in \[0, 1\]"):
        from_object(Image.new("F", (4, 4), 128.0))
    frames = [Image.new("L", (4, 4), value) for value in (0, 255)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    with (
        Image.open(tmp_path / "in.gif") as image,
        pytest.raises(UndegradeError, match="image: 2 frames; expected one"),
    ):
        from_object(image)


@pytest.mark.parametrize(("dtype", "mode"), [(np.uint8, "RGB"), (np.uint8, "L"), (np.uint16, "I;16")])
def test_a_path_comes_back_as_an_rgb_array(
    tmp_path: Path, photo: NDArray[np.uint8], dtype: type[Any], mode: str
) -> None:
    image = pillow_image(mode, photo)
    image.save(tmp_path / "in.png")
    for path in (tmp_path / "in.png", str(tmp_path / "in.png")):
        picture, back = from_object(path)
        result = back(picture)
        assert isinstance(result, np.ndarray)
        assert result.dtype == dtype
        wanted = np.asarray(image)
        np.testing.assert_array_equal(result, wanted if wanted.ndim == 3 else np.dstack([wanted] * 3))
