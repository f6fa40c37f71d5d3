"""The matrix of formats, modes and depths: what comes back as it was, and what is said to be changed.

The table of docs/formats.md is checked against MATRIX.
"""

import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image

from undegrade.errors import UndegradeError
from undegrade.images import (
    Limits,
    Picture,
    check_target,
    decode,
    open_image,
    read_picture,
    refuse_unlike_pages,
    with_pixels,
    write_picture,
    write_rows,
)
from undegrade.images.picture import Metadata

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs" / "formats.md"

# How a mode is written as TIFF or PNG without this project's code: (ending, samples -> file).
Make = Callable[[NDArray[np.uint8], Path], None]


def pillow(mode: str) -> Make:
    def make(photo: NDArray[np.uint8], path: Path) -> None:
        rgba = Image.fromarray(np.dstack([photo, photo[::-1, :, :1]]))
        options = {"transparency": 3} if mode == "P with a transparent colour" else {}
        if mode.startswith("P"):
            Image.fromarray(photo).quantize(16).save(path, **options)
        else:
            (rgba if "A" in mode else rgba.convert("RGB")).convert(mode).save(path)

    return make


def vips(interpretation: str, dtype: type[Any], num_channels: int = 3) -> Make:
    def make(photo: NDArray[np.uint8], path: Path) -> None:
        samples = np.dstack([photo, photo[::-1]])[:, :, [0, 1, 2, 5][:num_channels]]
        if num_channels < 3:
            samples = np.dstack([photo[:, :, 0], photo[::-1, :, 0]])[:, :, :num_channels]
        if dtype == np.uint16:
            samples = samples.astype(np.uint16) * 257 ^ 0x35
        elif dtype == np.float32:
            samples = samples / np.float32(255)
        image = pyvips.Image.new_from_array(np.ascontiguousarray(samples))
        if interpretation in ("lab", "labs"):
            image = image.copy(interpretation="srgb").colourspace(interpretation)
        image.copy(interpretation=interpretation).write_to_file(str(path))

    return make


EXPANDED = "The palette was expanded; the file is written as RGB."
CMYK = "CMYK was converted to sRGB; the file is written as RGB."
LAB = "Lab was converted to sRGB at 16 bits; the file is written as RGB."
KEPT = "kept"
GRAY_TO_RGB = "{} is written in colour: the gray picture became RGB."
TO_8 = "{} holds 8 bits: the {}-bit samples were rounded."
OVER_WHITE = "JPEG holds no transparency: the picture was laid over white."

# mode: how it is made, in which formats it exists, (bits, gray, alpha) as read, and the note of reading.
MODES: dict[str, tuple[Make, tuple[str, ...], tuple[int, bool, bool], str]] = {
    "gray, 8 bits": (vips("b-w", np.uint8, 1), (".png", ".tif"), (8, True, False), KEPT),
    "gray, 16 bits": (vips("grey16", np.uint16, 1), (".png", ".tif"), (16, True, False), KEPT),
    "gray, float": (vips("b-w", np.float32, 1), (".tif",), (32, True, False), KEPT),
    "gray and alpha, 8 bits": (vips("b-w", np.uint8, 2), (".png", ".tif"), (8, True, True), KEPT),
    "gray and alpha, 16 bits": (vips("grey16", np.uint16, 2), (".png", ".tif"), (16, True, True), KEPT),
    "RGB, 8 bits": (vips("srgb", np.uint8), (".png", ".tif"), (8, False, False), KEPT),
    "RGB, 16 bits": (vips("rgb16", np.uint16), (".png", ".tif"), (16, False, False), KEPT),
    "RGB, float": (vips("scrgb", np.float32), (".tif",), (32, False, False), KEPT),
    "RGBA, 8 bits": (vips("srgb", np.uint8, 4), (".png", ".tif"), (8, False, True), KEPT),
    "RGBA, 16 bits": (vips("rgb16", np.uint16, 4), (".png", ".tif"), (16, False, True), KEPT),
    "RGBA, float": (vips("scrgb", np.float32, 4), (".tif",), (32, False, True), KEPT),
    "1 bit": (pillow("1"), (".png", ".tif"), (8, True, False), "1-bit samples were expanded to 8 bits."),
    "palette": (pillow("P"), (".png", ".tif", ".gif"), (8, False, False), EXPANDED),
    "palette, transparent": (pillow("P with a transparent colour"), (".png", ".gif"), (8, False, True), EXPANDED),
    "CMYK, 8 bits": (pillow("CMYK"), (".jpg", ".tif"), (8, False, False), CMYK),
    "CMYK, 16 bits": (vips("cmyk", np.uint16, 4), (".tif",), (16, False, False), CMYK),
    "Lab, 16 bits": (vips("labs", np.uint8), (".tif",), (16, False, False), LAB),
    "Lab, float": (vips("lab", np.uint8), (".tif",), (16, False, False), LAB),
}
# (bits, gray, alpha) in memory: what each format keeps of it, in notes of writing; none where all is kept.
MATRIX: dict[tuple[int, bool, bool], dict[str, tuple[str, ...]]] = {
    (bits, gray, alpha): {
        "PNG": (f"PNG holds 16 bits: the {bits}-bit samples were rounded.",) if bits == 32 else (),
        "JPEG": (TO_8.format("JPEG", bits),) * (bits > 8) + (OVER_WHITE,) * alpha,
        "TIFF": (),
        "WebP": (TO_8.format("WebP", bits),) * (bits > 8) + (GRAY_TO_RGB.format("WebP"),) * gray,
        "AVIF": (f"AVIF holds 12 bits: the {bits}-bit samples were rounded.",) * (bits > 8)
        + (GRAY_TO_RGB.format("AVIF"),) * gray,
    }
    for bits in (8, 16, 32)
    for gray in (True, False)
    for alpha in (False, True)
}
ENDINGS = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "WebP": ".webp", "AVIF": ".avif"}
EXACT = {"PNG": (8, 16), "TIFF": (8, 16, 32)}


@pytest.mark.parametrize(("mode", "suffix"), [(mode, suffix) for mode, entry in MODES.items() for suffix in entry[1]])
def test_every_mode_is_read_as_the_table_says(mode: str, suffix: str, photo: NDArray[np.uint8], tmp_path: Path) -> None:
    make, _, (bits, gray, alpha), note = MODES[mode]
    make(photo, tmp_path / f"in{suffix}")
    picture = read_picture(tmp_path / f"in{suffix}")
    assert picture.pixels.shape == (3, 40, 56)
    assert (picture.bits, picture.gray, picture.alpha is not None) == (bits, gray, alpha)
    assert picture.notes == (() if note == KEPT else (note,))
    if note == LAB:
        wanted = photo.transpose(2, 0, 1) / 255
        assert np.abs(picture.pixels - wanted).max() < 0.02
    # And nothing is lost on the way to a TIFF file and back.
    assert write_picture(picture, tmp_path / "out.tif") == ()
    again = read_picture(tmp_path / "out.tif")
    assert (again.bits, again.gray, again.alpha is not None) == (bits, gray, alpha)
    np.testing.assert_array_equal(again.pixels, picture.pixels)
    if alpha:
        np.testing.assert_array_equal(again.alpha, picture.alpha)


@pytest.mark.parametrize("form", ENDINGS)
@pytest.mark.parametrize("kind", MATRIX)
def test_every_kind_is_written_as_the_table_says(
    kind: tuple[int, bool, bool], form: str, photo: NDArray[np.uint8], tmp_path: Path
) -> None:
    bits, gray, alpha = kind
    levels = {8: 255, 16: 65535, 32: 2**20}[bits]
    pixels = np.rint(photo.transpose(2, 0, 1) / 255.3 * levels) / levels
    pixels = (pixels[:1].repeat(3, 0) if gray else pixels).astype(np.float32)
    opacity = np.linspace(0, 1, 40 * 56).reshape(1, 40, 56)
    picture = Picture(
        pixels=pixels,
        gray=gray,
        bits=bits,
        alpha=(np.rint(opacity * levels) / levels).astype(np.float32) if alpha else None,
    )
    path = tmp_path / f"out{ENDINGS[form]}"
    assert write_picture(picture, path) == MATRIX[kind][form]
    again = read_picture(path)
    kept_alpha = alpha and form != "JPEG"
    assert (again.alpha is not None) == kept_alpha
    assert again.gray == (gray and form not in ("WebP", "AVIF"))
    depths = {"PNG": (8, 16), "JPEG": (8,), "TIFF": (8, 16, 32), "WebP": (8,), "AVIF": (8, 16)}[form]
    assert again.bits == max(depth for depth in depths if depth <= bits)
    if bits in EXACT.get(form, ()):
        np.testing.assert_allclose(again.pixels, picture.pixels, atol=1e-7)
    elif not (alpha and form == "JPEG"):
        assert np.abs(again.pixels - picture.pixels).mean() < 0.02
    if kept_alpha:
        assert again.alpha is not None
        assert picture.alpha is not None
        assert np.abs(again.alpha - picture.alpha).max() < (1e-7 if bits in EXACT.get(form, ()) else 0.03)


def test_the_documented_table_is_the_one_that_is_tested() -> None:
    rows = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    documented = {row.split("|")[1].strip(): row for row in rows}
    for mode, (_, suffixes, (bits, gray, alpha), note) in MODES.items():
        row = documented[mode]
        formats = {".png": "PNG", ".tif": "TIFF", ".gif": "GIF", ".jpg": "JPEG"}
        kind = (
            f"{'gray' if gray else 'RGB'}{' and alpha' if alpha else ''}, {'float' if bits == 32 else f'{bits} bits'}"
        )
        assert [cell.strip() for cell in row.split("|")[2:5]] == [
            ", ".join(formats[suffix] for suffix in suffixes),
            kind,
            "" if note == KEPT else note,
        ]


# Formats that are only read.


def test_heic_is_read_upright_with_its_metadata() -> None:
    picture = read_picture(HERE / "turned.heic")
    down, across = np.mgrid[0:48, 0:64]
    wanted = np.rot90(np.stack([across * 4, down * 5, 200 - across * 2 - down], 2).clip(0, 255), -1)
    assert picture.pixels.shape == (3, 64, 48)
    assert np.abs(picture.pixels.transpose(1, 2, 0) * 255 - wanted).mean() < 3
    assert picture.metadata.exif is not None
    assert b"Cam" in picture.metadata.exif
    assert struct.pack(">HHIHH", 0x112, 3, 1, 1, 0) in picture.metadata.exif  # turned once: Orientation is 1
    assert picture.notes == ()


def test_heic_keeps_alpha_and_depth() -> None:
    transparent = read_picture(HERE / "transparent.heic")
    assert transparent.alpha is not None
    assert transparent.alpha.max() > 0.95
    assert transparent.alpha.min() < 0.05
    deep = read_picture(HERE / "deep.heic")
    assert deep.bits == 16
    assert abs(deep.pixels.max() - 253 / 255) < 0.01
    assert np.unique(deep.pixels).size > 300  # more than 8 bits can hold


@pytest.mark.parametrize(
    ("module", "content", "message"),
    [
        ("pi_heif", (HERE / "turned.heic").read_bytes(), r"an HEIC file, .* pip install 'undegrade\[heic\]'"),
        ("rawpy", b"FUJIFILMCCD-RAW", r"a camera's RAW file, .* pip install 'undegrade\[raw\]'"),
    ],
)
def test_a_missing_extra_is_named(
    module: str, content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "in.heic").write_bytes(content)
    with pytest.raises(UndegradeError, match=rf"in\.heic: {message}"):
        read_picture(tmp_path / "in.heic")


# Pages.


def save_pages(path: Path, *pages: NDArray[Any]) -> None:
    images = [Image.fromarray(page) for page in pages]
    images[0].save(path, save_all=True, append_images=images[1:], compression="tiff_lzw", dpi=(300, 300))


def test_pages_are_read_and_written_as_one_file(photo: NDArray[np.uint8], tmp_path: Path) -> None:
    pages = [photo, 255 - photo, photo[::-1].copy()]
    save_pages(tmp_path / "in.tif", *pages)
    first = open_image(tmp_path / "in.tif")
    assert first.pages == (0, 1, 2)
    refuse_unlike_pages(first)
    pictures = [decode(open_image(tmp_path / "in.tif", page=page)) for page in first.pages]
    bands = (with_pixels(p, p.pixels[:, rows]) for p in pictures for rows in (slice(0, 30), slice(30, None)))
    about, height = pictures[0], pictures[0].pixels.shape[1]
    assert write_rows(bands, about, height, tmp_path / "out.tif", num_pages=3) == ()
    with Image.open(tmp_path / "out.tif") as image:
        assert image.n_frames == 3
        for number, page in enumerate(pages):
            image.seek(number)
            np.testing.assert_array_equal(np.asarray(image), page)
            assert image.info["dpi"] == (300, 300)


def test_pages_that_are_not_alike_are_refused(photo: NDArray[np.uint8], tmp_path: Path) -> None:
    for name, other in (("size", photo[:20]), ("gray", photo[:, :, 0])):
        save_pages(tmp_path / f"{name}.tif", photo, photo, other)
        with pytest.raises(UndegradeError, match=rf"{name}\.tif: page 3 has another size"):
            refuse_unlike_pages(open_image(tmp_path / f"{name}.tif"))
    picture = read_picture_of(photo)
    with pytest.raises(UndegradeError, match="PNG holds one picture, not several pages"):
        write_rows([picture] * 2, picture, len(photo), tmp_path / "out.png", num_pages=2)
    assert not list(tmp_path.glob("out*"))


def read_picture_of(photo: NDArray[np.uint8]) -> Picture:
    return Picture(pixels=(photo.transpose(2, 0, 1) / np.float32(255)).astype(np.float32))


@pytest.mark.parametrize("subifd", [False, True])
def test_smaller_copies_in_a_pyramid_are_no_pages(photo: NDArray[np.uint8], subifd: bool, tmp_path: Path) -> None:
    image = pyvips.Image.new_from_array(photo).copy(interpretation="srgb")
    image.tiffsave(
        str(tmp_path / "in.tif"), tile=True, pyramid=True, subifd=subifd, tile_width=16, tile_height=16, bigtiff=True
    )
    picture = read_picture(tmp_path / "in.tif")
    np.testing.assert_array_equal(np.rint(picture.pixels.transpose(1, 2, 0) * 255), photo)
    assert picture.notes == ("The smaller copies of the picture in the file are not kept.",)


def test_limits_hold_over_all_pages_and_cannot_be_off(photo: NDArray[np.uint8], tmp_path: Path) -> None:
    save_pages(tmp_path / "in.tif", photo, photo, photo)
    with pytest.raises(UndegradeError, match=r"in\.tif: 56 x 40 x 3 pages: more pixels than the limit of 6719"):
        open_image(tmp_path / "in.tif", Limits(max_pixels=3 * 40 * 56 - 1))
    with pytest.raises(UndegradeError, match=r"in\.tif: 3 pages; at most 2 are read"):
        open_image(tmp_path / "in.tif", Limits(max_pages=2))
    assert open_image(tmp_path / "in.tif", Limits(max_pixels=3 * 40 * 56)).pages == (0, 1, 2)
    for value in (0, -1, None, float("inf"), True):
        with pytest.raises(UndegradeError, match=r"max_pixels: .* expected a whole number of 1 or more"):
            Limits(max_pixels=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_too_much_metadata_is_refused(
    suffix: str, photo: NDArray[np.uint8], wide_profile: bytes, tmp_path: Path
) -> None:
    large = b"x" * 20000
    metadata = Metadata(
        exif=b"MM\0*" + struct.pack(">IHHHIII", 8, 1, 0x10E, 2, len(large), 26, 0) + large,
        xmp=b"<x>" + large + b"</x>",
    )
    assert len(wide_profile) > 400
    for name, picture in {
        "an ICC profile": replace(read_picture_of(photo), profile=wide_profile),
        "an EXIF block": replace(read_picture_of(photo), metadata=replace(metadata, xmp=None)),
        "an XMP packet": replace(read_picture_of(photo), metadata=replace(metadata, exif=None)),
    }.items():
        assert write_picture(picture, tmp_path / f"in{suffix}") == ()
        open_image(tmp_path / f"in{suffix}")
        with pytest.raises(UndegradeError, match=rf"in{suffix}: {name} of \d+ bytes or more; at most 400 are read"):
            open_image(tmp_path / f"in{suffix}", Limits(max_profile=400, max_metadata=400))


# Where a picture may be written.


def test_a_quality_is_for_lossy_formats(photo: NDArray[np.uint8], tmp_path: Path) -> None:
    picture = read_picture_of(photo)
    for suffix in (".jpg", ".webp", ".avif"):
        sizes = []
        for quality in (20, 90):
            write_picture(picture, tmp_path / f"out{suffix}", quality=quality)
            sizes.append((tmp_path / f"out{suffix}").stat().st_size)
        assert sizes[0] < sizes[1]
    with pytest.raises(UndegradeError, match="quality: PNG is written without loss"):
        check_target(tmp_path / "out.png", 90)
    with pytest.raises(UndegradeError, match="quality: 101; expected 1 to 100"):
        check_target(tmp_path / "out.jpg", 101)


def test_a_large_tiff_is_written_as_bigtiff(
    photo: NDArray[np.uint8], exif: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from undegrade.images import writing

    monkeypatch.setattr(writing, "CLASSIC_TIFF", 0)
    block = exif.removeprefix(b"Exif\0\0")
    picture = replace(read_picture_of(photo), metadata=Metadata(exif=block, iptc=b"\x1c\x02\x78\x00\x07caption"))
    assert write_picture(picture, tmp_path / "out.tif") == ()
    assert (tmp_path / "out.tif").read_bytes()[2:4] in (b"+\0", b"\0+")
    again = read_picture(tmp_path / "out.tif")
    np.testing.assert_array_equal(again.pixels, picture.pixels)
    assert again.metadata.iptc == picture.metadata.iptc
    assert again.metadata.exif is not None
    for word in (b"Cam", b"Lens 24-70"):
        assert word in again.metadata.exif
    with Image.open(tmp_path / "out.tif") as image:
        np.testing.assert_array_equal(np.asarray(image), photo)
        assert image.getexif()[0x010F] == "Cam"
