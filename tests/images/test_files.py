import os
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from undegrade.errors import UndegradeError
from undegrade.images import (
    SUFFIXES,
    Picture,
    decode_8bit,
    find_pictures,
    read_8bit,
    read_picture,
    with_pixels,
    write_picture,
    writing,
)

INTERPRETATIONS = {1: "b-w", 2: "b-w", 3: "srgb", 4: "srgb"}
DEEP_INTERPRETATIONS = {1: "grey16", 2: "grey16", 3: "rgb16", 4: "rgb16"}


def save(samples: NDArray[Any], path: Path, profile: bytes | None = None) -> None:
    """Writes (H, W, C) samples without this project's code."""
    names = DEEP_INTERPRETATIONS if samples.dtype == np.uint16 else INTERPRETATIONS
    image = pyvips.Image.new_from_array(samples).copy(interpretation=names[samples.shape[2]])
    if profile is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    image.write_to_file(str(path))


def load(path: Path) -> NDArray[Any]:
    """(H, W, C) samples of a file, without this project's code."""
    image = pyvips.Image.new_from_buffer(path.read_bytes(), "")
    return np.asarray(image.numpy()).reshape(image.height, image.width, image.bands)


def samples_of(photo: NDArray[np.uint8], num_channels: int, dtype: type[Any]) -> NDArray[Any]:
    """The photo with 1 to 4 channels of `dtype`; deep samples use their low bits too."""
    gray, alpha = photo[:, :, :1], photo[::-1, ::-1, :1]
    samples = {1: gray, 2: np.dstack([gray, alpha]), 3: photo, 4: np.dstack([photo, alpha])}[num_channels]
    if dtype == np.uint16:
        return (samples.astype(np.uint16) * 257) ^ 0x35
    return samples / np.float32(255) if dtype == np.float32 else samples


def psnr(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(-10 * np.log10(float(np.mean((a.astype(np.float64) - b) ** 2)) + 1e-12))


@pytest.mark.parametrize("num_channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(".png", np.uint8), (".png", np.uint16), (".tif", np.uint8), (".TIFF", np.uint16), (".tif", np.float32)],
)
def test_lossless_formats_keep_every_sample(
    tmp_path: Path, photo: NDArray[np.uint8], suffix: str, dtype: type[Any], num_channels: int
) -> None:
    samples = samples_of(photo, num_channels, dtype)
    save(samples, tmp_path / f"in{suffix}")
    picture = read_picture(tmp_path / f"in{suffix}")
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    np.testing.assert_allclose(picture.pixels[0], samples[:, :, 0] / np.float64(top), atol=1e-7)
    assert picture.bits == 8 * np.dtype(dtype).itemsize
    assert picture.gray == (num_channels < 3)
    assert (picture.alpha is not None) == (num_channels in (2, 4))
    assert write_picture(picture, tmp_path / f"out{suffix}") == ()
    written = load(tmp_path / f"out{suffix}")
    assert written.dtype == dtype
    np.testing.assert_array_equal(written, samples)


@pytest.mark.parametrize("num_channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("suffix", "least"), [(".jpg", 44), (".jpeg", 44), (".webp", 36), (".avif", 42)])
def test_lossy_formats_come_close(
    tmp_path: Path, photo: NDArray[np.uint8], suffix: str, least: float, num_channels: int
) -> None:
    save(samples_of(photo, num_channels, np.uint8), tmp_path / "in.png")
    picture = read_picture(tmp_path / "in.png")
    if suffix.startswith(".jp") and picture.alpha is not None:
        picture = Picture(pixels=picture.pixels, gray=picture.gray)
    notes = write_picture(picture, tmp_path / f"out{suffix}")
    again = read_picture(tmp_path / f"out{suffix}")
    assert psnr(again.pixels, picture.pixels) > least
    assert (again.alpha is None) == (picture.alpha is None)
    if picture.alpha is not None and again.alpha is not None:
        assert psnr(again.alpha, picture.alpha) > 45
    written_as_gray = picture.gray and suffix.startswith(".jp")
    assert again.gray == written_as_gray
    assert any("the gray picture became RGB" in note for note in notes) == (picture.gray and not written_as_gray)


def test_jpeg_is_written_without_chroma_subsampling(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    save(photo, tmp_path / "in.png")
    write_picture(read_picture(tmp_path / "in.png"), tmp_path / "out.jpg")
    assert pyvips.Image.new_from_file(str(tmp_path / "out.jpg")).get("jpeg-chroma-subsample") == "4:4:4"


@pytest.mark.parametrize(
    ("suffix", "dtype", "note", "step"),
    [
        (".jpg", np.uint16, "JPEG holds 8 bits: the 16-bit samples were rounded.", 8 / 255),
        (".webp", np.uint16, "WebP holds 8 bits: the 16-bit samples were rounded.", 24 / 255),
        (".avif", np.uint16, "AVIF holds 12 bits: the 16-bit samples were rounded.", 8 / 255),
        (".png", np.float32, "PNG holds 16 bits: the 32-bit samples were rounded.", 1 / 65535),
    ],
)
def test_a_shallower_format_is_noted(tmp_path: Path, suffix: str, dtype: type[Any], note: str, step: float) -> None:
    ramp = np.linspace(0.1, 0.9, 64, dtype=np.float32)[None, :, None].repeat(16, 0).repeat(3, 2)
    save((ramp * 65535).astype(dtype) if dtype == np.uint16 else ramp, tmp_path / "in.tif")
    picture = read_picture(tmp_path / "in.tif")
    assert note in write_picture(picture, tmp_path / f"out{suffix}")
    assert np.abs(read_picture(tmp_path / f"out{suffix}").pixels - picture.pixels).max() <= step


def test_transparency_is_laid_over_white_in_jpeg(tmp_path: Path) -> None:
    pixels, alpha = np.zeros((3, 16, 16), np.float32), np.zeros((1, 16, 16), np.float32)
    alpha[:, :, 8:] = 1
    notes = write_picture(Picture(pixels=pixels, alpha=alpha), tmp_path / "out.jpg")
    assert notes == ("JPEG holds no transparency: the picture was laid over white.",)
    again = read_picture(tmp_path / "out.jpg").pixels
    assert again[:, :, :8].min() > 0.99
    assert again[:, :, 8:].max() < 0.01


def test_palettes_and_bilevel_pictures_are_expanded(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    palette = Image.fromarray(photo).quantize(16)
    palette.save(tmp_path / "palette.png")
    picture = read_picture(tmp_path / "palette.png")
    np.testing.assert_array_equal(np.rint(picture.pixels.transpose(1, 2, 0) * 255), np.asarray(palette.convert("RGB")))
    bilevel = Image.fromarray(photo).convert("1")
    for name in ("bilevel.png", "bilevel.tif"):
        bilevel.save(tmp_path / name)
        picture = read_picture(tmp_path / name)
        assert picture.gray
        np.testing.assert_array_equal(picture.pixels[0], np.asarray(bilevel))


@pytest.mark.parametrize("name", ["in.jpg", "in.tif"])
def test_cmyk_becomes_srgb_and_says_so(tmp_path: Path, name: str) -> None:
    ink = np.zeros((16, 48, 4), np.uint8)  # C, M, Y, K: paper, yellow, black
    ink[:, 16:32, 2] = 255
    ink[:, 32:, 3] = 255
    Image.fromarray(ink, "CMYK").save(tmp_path / name, quality=95)
    picture = read_picture(tmp_path / name)
    assert picture.notes == ("CMYK was converted to sRGB; the file is written as RGB.",)
    paper, yellow, black = (picture.pixels[:, 8, x] for x in (8, 24, 40))
    assert paper.min() > 0.97
    assert yellow[0] > 0.9
    assert yellow[2] < 0.3
    assert black.max() < 0.25
    assert picture.profile is not None
    assert picture.profile[16:20] == b"RGB "
    write_picture(picture, tmp_path / "out.tif")
    assert load(tmp_path / "out.tif").shape == (16, 48, 3)


def test_wide_gamut_pixels_stay_in_their_own_space(
    tmp_path: Path, photo: NDArray[np.uint8], wide_profile: bytes
) -> None:
    save(photo, tmp_path / "in.png", wide_profile)
    picture = read_picture(tmp_path / "in.png")
    np.testing.assert_array_equal(np.rint(picture.pixels.transpose(1, 2, 0) * 255), photo)
    for suffix in SUFFIXES:
        assert write_picture(picture, tmp_path / f"out{suffix}") == ()
        assert read_picture(tmp_path / f"out{suffix}").profile == wide_profile


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_avif_reaches_white(tmp_path: Path, bits: int) -> None:
    white = np.full((16, 16, 3), 65535, np.uint16)
    image = pyvips.Image.new_from_array(white).copy(interpretation="rgb16")
    image.heifsave(str(tmp_path / "in.avif"), compression="av1", bitdepth=bits, lossless=True)
    picture = read_picture(tmp_path / "in.avif")
    assert picture.bits == 16
    assert picture.pixels.min() == 1.0


def test_a_still_gif_is_read_and_not_written(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    Image.fromarray(photo).quantize(8).save(tmp_path / "in.gif")
    picture = read_picture(tmp_path / "in.gif")
    assert picture.pixels.shape == (3, 40, 56)
    with pytest.raises(UndegradeError, match=r"out\.gif: unknown ending '\.gif'; expected one of \.png, \.jpg"):
        write_picture(picture, tmp_path / "out.gif")


def test_other_pixels_in_the_same_picture(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    save(samples_of(photo, 2, np.uint8), tmp_path / "in.png")
    picture = read_picture(tmp_path / "in.png")
    other = with_pixels(picture, picture.pixels * 3 - 1)
    write_picture(other, tmp_path / "out.png")
    written = load(tmp_path / "out.png")
    assert written.shape == (40, 56, 2)
    np.testing.assert_array_equal(written[:, :, 0], np.rint((picture.pixels[0] * 3 - 1).clip(0, 1) * 255))


def test_a_file_replaced_on_disk_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    for value in (0, 255):
        save(np.full((4, 4, 3), value, np.uint8), path)
        os.utime(path, (1, 1))
        assert read_picture(path).pixels.max() == value / 255


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    samples=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)).flatmap(
        lambda shape: st.one_of(arrays(np.uint8, shape), arrays(np.uint16, shape))
    ),
    suffix=st.sampled_from([".png", ".tif"]),
)
def test_any_small_picture_survives(tmp_path: Path, samples: NDArray[Any], suffix: str) -> None:
    save(samples, tmp_path / f"in{suffix}")
    write_picture(read_picture(tmp_path / f"in{suffix}"), tmp_path / f"out{suffix}")
    written = load(tmp_path / f"out{suffix}")
    assert written.dtype == samples.dtype
    np.testing.assert_array_equal(written, samples)


# What is refused.


def encoded(photo: NDArray[np.uint8], suffix: str) -> bytes:
    noisy = photo ^ np.random.default_rng(0).integers(0, 64, photo.shape, dtype=np.uint8)
    return bytes(pyvips.Image.new_from_array(noisy).copy(interpretation="srgb").write_to_buffer(suffix))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif", ".gif"])
def test_a_truncated_file_is_refused(tmp_path: Path, photo: NDArray[np.uint8], suffix: str) -> None:
    whole = encoded(photo, suffix)
    path = tmp_path / f"in{suffix}"
    for size in (len(whole) * 2 // 3, 40):
        path.write_bytes(whole[:size])
        with pytest.raises(UndegradeError, match=rf"in\{suffix}: .*cut short or damaged; copy it again") as error:
            read_picture(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello, this is text", "not a picture; expected one of PNG, JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"<?xml version='1.0'?><svg/>", "an SVG drawing"),
        (b"%PDF-1.7", "a PDF document"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\xff\x0a..", "a JPEG XL file"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "a video, or a picture in a codec that is not read"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "the HEIC file is cut short or damaged"),
        (b"FUJIFILMCCD-RAW 0201FF", "the RAW file is damaged"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "in.png").write_bytes(content)
    with pytest.raises(UndegradeError, match=rf"in\.png: {message}"):
        read_picture(tmp_path / "in.png")


def test_missing_files_and_folders_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UndegradeError, match=r"absent\.png: no such file"):
        read_picture(tmp_path / "absent.png")
    with pytest.raises(UndegradeError, match="a folder; expected a picture file"):
        read_picture(tmp_path)

    def deny(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(UndegradeError, match=r"in\.png: no permission to read it"):
        read_picture(tmp_path / "in.png")


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        (".tif", "holds 2 pages; expected one"),
        (".gif", "holds 2 frames or pictures"),
        (".webp", "holds 2 frames or pictures"),
        (".png", "an animation, which is not restored"),
        (".avif", "an animation, which is not restored"),
    ],
)
def test_several_pictures_in_one_file_are_refused(
    tmp_path: Path, photo: NDArray[np.uint8], suffix: str, message: str
) -> None:
    pages = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    pages[0].save(tmp_path / f"in{suffix}", save_all=True, append_images=pages[1:])
    with pytest.raises(UndegradeError, match=rf"in{suffix}: {message}.*save the .* alone"):
        read_picture(tmp_path / f"in{suffix}")


def test_unknown_kinds_of_samples_are_refused(tmp_path: Path) -> None:
    deep = pyvips.Image.new_from_array(np.zeros((4, 4), np.uint32))
    deep.tiffsave(str(tmp_path / "deep.tif"))
    with pytest.raises(UndegradeError, match=r"deep\.tif: samples are uint; expected 8 or 16 bits"):
        read_picture(tmp_path / "deep.tif")
    pyvips.Image.new_from_array(np.full((4, 4), 7.5, np.float32)).tiffsave(str(tmp_path / "float.tif"))
    with pytest.raises(UndegradeError, match=r"float\.tif: floats from 7\.5 to 7\.5; expected values in \[0, 1\]"):
        read_picture(tmp_path / "float.tif")
    pyvips.Image.new_from_array(np.zeros((4, 4))).tiffsave(str(tmp_path / "double.tif"))
    with pytest.raises(UndegradeError, match=r"double\.tif: samples of 64 bits"):
        read_picture(tmp_path / "double.tif")
    Image.new("LAB", (4, 4)).save(tmp_path / "lab.tif")
    with pytest.raises(UndegradeError, match=r"lab\.tif: colours are 8-bit Lab; convert the file to RGB first"):
        read_picture(tmp_path / "lab.tif")
    many = pyvips.Image.new_from_array(np.zeros((4, 4, 6), np.uint8)).copy(interpretation="srgb")
    many.tiffsave(str(tmp_path / "many.tif"))
    with pytest.raises(UndegradeError, match=r"many\.tif: 6 channels; expected gray or RGB"):
        read_picture(tmp_path / "many.tif")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    picture = Picture(pixels=np.zeros((3, 4, 4), np.float32))
    with pytest.raises(UndegradeError, match=r"out\.xyz: unknown ending '\.xyz'; expected one of \.png"):
        write_picture(picture, tmp_path / "out.xyz")
    with pytest.raises(UndegradeError, match=r"the folder .*absent does not exist; create it first"):
        write_picture(picture, tmp_path / "absent" / "out.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UndegradeError, match=r"folder\.png: a folder of this name"):
        write_picture(picture, tmp_path / "folder.png")


def test_a_size_the_format_cannot_hold_is_named(tmp_path: Path) -> None:
    wide = Picture(pixels=np.zeros((3, 1, 16384), np.float32))
    with pytest.raises(UndegradeError, match=r"out\.webp: 16384 x 1 pixels cannot be written as WebP"):
        write_picture(wide, tmp_path / "out.webp")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.png"
    write_picture(Picture(pixels=np.zeros((3, 4, 4), np.float32)), path)
    before = path.read_bytes()

    def fill_disk(file: Path, edits: object) -> None:
        assert file.stat().st_size > 0
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "edit", fill_disk)
    with pytest.raises(UndegradeError, match=r"out\.png: cannot be written \(No space left on device\)"):
        write_picture(Picture(pixels=np.ones((3, 4, 4), np.float32)), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_pixels_that_are_no_numbers_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match="not all are finite numbers"):
        write_picture(Picture(pixels=np.full((3, 4, 4), np.nan, np.float32)), tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": np.zeros((3, 4, 4))}, r"pixels: float64 .* expected float32"),
        ({"pixels": np.zeros((4, 4, 3), np.float32)}, r"expected float32 of shape \(3, H, W\)"),
        ({"alpha": np.zeros((1, 5, 4), np.float32)}, r"alpha: .* expected float32 of shape \(1, 4, 4\)"),
        ({"bits": 12}, "bits: 12; expected 8, 16 or 32"),
    ],
)
def test_a_picture_checks_its_fields(change: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {"pixels": np.zeros((3, 4, 4), np.float32)} | change
    with pytest.raises(UndegradeError, match=message):
        Picture(**fields)  # type: ignore[arg-type]


def test_pictures_of_a_folder_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "notes.txt", ".hidden.png", "c.tiff"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "below.png").mkdir()
    assert [path.name for path in find_pictures(tmp_path)] == ["a.jpg", "b.PNG", "c.tiff"]
    with pytest.raises(UndegradeError, match="no pictures in this folder; expected files ending in"):
        find_pictures(tmp_path / "below.png")
    with pytest.raises(UndegradeError, match="no such folder"):
        find_pictures(tmp_path / "absent")


def test_a_text_chunk_bomb_stays_small(tmp_path: Path) -> None:
    buffer = BytesIO()
    Image.new("L", (2, 2)).save(buffer, "PNG")
    content = b"Comment\0\0" + zlib.compress(b"a" * 30_000_000, 9)
    chunk = struct.pack(">I", len(content)) + b"zTXt" + content + struct.pack(">I", zlib.crc32(b"zTXt" + content))
    data = buffer.getvalue()
    (tmp_path / "in.png").write_bytes(data[:-12] + chunk + data[-12:])
    ((_, text),) = read_picture(tmp_path / "in.png").metadata.comments
    assert len(text) == 1 << 20


@pytest.mark.parametrize("name", ["gray.png", "deep.png", "alpha.png", "floats.tif", "colour.jpg", "deep.avif"])
def test_8_bit_pixels_are_those_of_the_picture_rounded(name: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).random((3, 9, 14)).astype(np.float32)
    path = tmp_path / name
    gray = name.startswith("gray")
    picture = Picture(
        pixels=pixels[:1].repeat(3, 0) if gray else pixels,
        alpha=pixels[:1] if name.startswith("alpha") else None,
        bits={"deep": 16, "floats": 32}.get(path.stem, 8),
        gray=gray,
    )
    write_picture(picture, path)
    found = read_8bit(path)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, (read_picture(path).pixels * 255).round())
    np.testing.assert_array_equal(decode_8bit(path.read_bytes(), name), found)


def test_8_bit_pixels_of_a_damaged_file_are_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match=r"shard\.tar at byte 512: not a picture"):
        decode_8bit(b"nothing", "shard.tar at byte 512")
    with pytest.raises(UndegradeError, match=r"absent\.png: no such file"):
        read_8bit(tmp_path / "absent.png")
