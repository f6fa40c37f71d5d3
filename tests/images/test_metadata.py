import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, IptcImagePlugin, PngImagePlugin

from undegrade.images import SUFFIXES, Picture, read_picture, with_pixels, write_picture
from undegrade.images.containers import iptc_of, jpeg_segments, photoshop_of, segments_edit
from undegrade.images.content import spliced
from undegrade.images.picture import Metadata

IPTC = b"\x1c\x02\x78\x00\x07caption\x1c\x02\x50\x00\x03Ann"


def open_exif(path: Path) -> Image.Exif:
    # Out of a buffer that stays open, because Pillow reads the directories of a TIFF file when they are asked for.
    return Image.open(BytesIO(path.read_bytes())).getexif()


def save_jpeg(
    path: Path, photo: NDArray[np.uint8], *, exif: bytes = b"", xmp: bytes = b"", dpi: tuple[int, int] = (300, 150)
) -> None:
    Image.fromarray(photo).save(path, exif=exif, xmp=xmp, dpi=dpi, quality=95, subsampling=0)


def unit(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    return photo.transpose(2, 0, 1) * np.float32(1 / 255)


def with_orientation(exif: bytes, orientation: int) -> bytes:
    block = Image.Exif()
    block.load(exif)
    block[ExifTags.Base.Orientation] = orientation
    return block.tobytes()


def with_segments(jpeg: bytes, segments: list[tuple[int, bytes]]) -> bytes:
    return b"".join(spliced(jpeg, [segments_edit(jpeg, segments)]))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_orientation_is_applied_exactly_once(
    tmp_path: Path, photo: NDArray[np.uint8], exif: bytes, xmp: bytes, suffix: str, orientation: int
) -> None:
    source = tmp_path / f"in{suffix}"
    block = with_orientation(exif, orientation)
    if suffix == ".jpg":
        Image.fromarray(photo).save(source, exif=block, quality=95, subsampling=0)
    else:
        Image.fromarray(photo).save(source, exif=block, lossless=True)  # which only WebP looks at
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # of PIL.Image.Transpose
    upright = Image.fromarray(photo).transpose(Image.Transpose(turn[orientation])) if orientation > 1 else None
    expected = photo if upright is None else np.asarray(upright)
    picture = read_picture(source)
    assert picture.pixels.shape[1:] == expected.shape[:2]
    assert np.abs(picture.pixels.transpose(1, 2, 0) * 255 - expected).max() < 30  # JPEG at the edge
    write_picture(picture, tmp_path / f"out{suffix}")
    assert open_exif(tmp_path / f"out{suffix}")[ExifTags.Base.Orientation] == 1
    again = read_picture(tmp_path / f"out{suffix}")
    assert np.abs(again.pixels - picture.pixels).max() < 30 / 255 + 0.1 * (suffix == ".webp")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_exif_survives_byte_for_byte(tmp_path: Path, photo: NDArray[np.uint8], exif: bytes, suffix: str) -> None:
    save_jpeg(tmp_path / "in.jpg", photo, exif=exif)
    picture = read_picture(tmp_path / "in.jpg")
    assert write_picture(picture, tmp_path / f"out{suffix}") == ()
    found, wanted = open_exif(tmp_path / f"out{suffix}"), Image.Exif()
    wanted.load(exif)
    for tag in (ExifTags.Base.Make, ExifTags.Base.Artist, ExifTags.Base.Rating):
        assert found[tag] == wanted[tag]
    below, wanted_below = (dict(e.get_ifd(ExifTags.IFD.Exif)) for e in (found, wanted))
    assert below == wanted_below | {ExifTags.Base.ExifImageWidth: 40}  # turned, so the width is the old height
    assert found.get_ifd(ExifTags.IFD.GPSInfo) == wanted.get_ifd(ExifTags.IFD.GPSInfo)
    assert found[ExifTags.Base.XResolution] == pytest.approx(300, abs=0.01)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_exif_comes_out_of_tiff_in_either_byte_order(tmp_path: Path, order: str, suffix: str) -> None:
    # One gray pixel at 8, the directory at 60, a lens' four rationals behind it: the pairs that swapping may break.
    lens_at, below_at = 60 + 120, 60 + 120 + 32
    lens = struct.pack(order + "8I", 24, 1, 70, 1, 28, 10, 40, 10)
    below = struct.pack(order + "HHHIII", 1, 0xA432, 5, 4, lens_at, 0)
    tags = [(0x100, 4, 1), (0x101, 4, 1), (0x102, 3, 8), (0x103, 3, 1), (0x106, 3, 1), (0x111, 4, 8), (0x117, 4, 1)]
    tags += [(0x8769, 4, below_at)]
    rows = b"".join(
        struct.pack(order + "HHI", tag, kind, 1) + struct.pack(order + ("HH" if kind == 3 else "I"), *values)
        for tag, kind, value in tags
        for values in [(value, 0) if kind == 3 else (value,)]
    )
    mark = b"II*\0" if order == "<" else b"MM\0*"
    file = mark + struct.pack(order + "I", 60) + b"\x80".ljust(52, b"\0")
    file += (struct.pack(order + "H", len(tags)) + rows + struct.pack(order + "I", 0)).ljust(120, b"\0") + lens + below
    (tmp_path / "in.tif").write_bytes(file)
    picture = read_picture(tmp_path / "in.tif")
    write_picture(picture, tmp_path / f"out{suffix}")
    found = open_exif(tmp_path / f"out{suffix}").get_ifd(ExifTags.IFD.Exif)
    assert [float(v) for v in found[ExifTags.Base.LensSpecification]] == [24, 70, 2.8, 4]


def test_the_embedded_preview_is_dropped(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    thumbnail = b"\xff\xd8PREVIEW\xff\xd9"
    first = struct.pack(">HHHIII", 1, 0x0112, 3, 1, 6 << 16, 26)
    second = struct.pack(">H", 2) + struct.pack(">HHII", 0x201, 4, 1, 56) + struct.pack(">HHII", 0x202, 4, 1, 11)
    block = b"MM\0*" + struct.pack(">I", 8) + first + second + struct.pack(">I", 0) + thumbnail
    save_jpeg(tmp_path / "in.jpg", photo, exif=b"Exif\0\0" + block)
    kept = read_picture(tmp_path / "in.jpg").metadata.exif
    assert kept is not None
    assert b"PREVIEW" not in kept
    assert kept[22:26] == bytes(4)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_xmp_survives_and_is_upright(
    tmp_path: Path, photo: NDArray[np.uint8], exif: bytes, xmp: bytes, suffix: str
) -> None:
    save_jpeg(tmp_path / "in.jpg", photo, exif=exif, xmp=xmp)
    write_picture(read_picture(tmp_path / "in.jpg"), tmp_path / f"out{suffix}")
    wanted = xmp.replace(b'tiff:Orientation="6"', b'tiff:Orientation="1"')
    assert read_picture(tmp_path / f"out{suffix}").metadata.xmp == wanted
    with Image.open(tmp_path / f"out{suffix}") as image:
        found = image.info["xmp"]
    assert bytes(found) == wanted


def test_an_element_of_xmp_is_turned_upright_too(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    save_jpeg(tmp_path / "in.jpg", photo, xmp=b"<x><tiff:Orientation>8</tiff:Orientation></x>")
    assert read_picture(tmp_path / "in.jpg").metadata.xmp == b"<x><tiff:Orientation>1</tiff:Orientation></x>"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_resolution_survives(tmp_path: Path, photo: NDArray[np.uint8], suffix: str) -> None:
    save_jpeg(tmp_path / "in.jpg", photo, dpi=(300, 150))
    picture = read_picture(tmp_path / "in.jpg")
    assert picture.metadata.resolution == pytest.approx((300 / 25.4, 150 / 25.4))
    assert write_picture(picture, tmp_path / f"out{suffix}") == ()
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert [float(x) for x in image.info["dpi"]] == pytest.approx([300, 150], abs=0.02)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_a_file_without_a_resolution_names_none(tmp_path: Path, photo: NDArray[np.uint8], suffix: str) -> None:
    Image.fromarray(photo).save(tmp_path / f"in{suffix}")
    assert read_picture(tmp_path / f"in{suffix}").metadata.resolution is None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_exif_is_made_up(tmp_path: Path, photo: NDArray[np.uint8], suffix: str) -> None:
    Image.fromarray(photo).save(tmp_path / "in.png")
    assert write_picture(read_picture(tmp_path / "in.png"), tmp_path / f"out{suffix}") == ()
    assert read_picture(tmp_path / f"out{suffix}").metadata.exif is None


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_iptc_survives(tmp_path: Path, photo: NDArray[np.uint8], suffix: str) -> None:
    save_jpeg(tmp_path / "plain.jpg", photo)
    plain = (tmp_path / "plain.jpg").read_bytes()
    (tmp_path / "in.jpg").write_bytes(with_segments(plain, [(0xED, photoshop_of(IPTC))]))
    picture = read_picture(tmp_path / "in.jpg")
    assert picture.metadata.iptc == IPTC
    assert write_picture(picture, tmp_path / f"out{suffix}") == ()
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert IptcImagePlugin.getiptcinfo(image) == {(2, 120): b"caption", (2, 80): b"Ann"}
    assert read_picture(tmp_path / f"out{suffix}").metadata.iptc == IPTC


def test_iptc_is_found_behind_other_photoshop_resources() -> None:
    named = b"8BIM\x03\xed\x04name\0" + struct.pack(">I", 3) + b"abc\0"
    assert iptc_of(b"Photoshop 3.0\0" + named + photoshop_of(IPTC)[14:]) == IPTC
    assert iptc_of(b"Photoshop 3.0\0" + named) is None


def test_comments_survive_in_png_and_jpeg(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Käfer")
    info.add_text("Comment", "packed", zip=True)
    info.add_itxt("Author", "日本")
    Image.fromarray(photo).save(tmp_path / "in.png", pnginfo=info)
    picture = read_picture(tmp_path / "in.png")
    assert write_picture(picture, tmp_path / "out.png") == ()
    with Image.open(tmp_path / "out.png") as image:
        assert image.text == {"Title": "Käfer", "Comment": "packed", "Author": "日本"}
    assert write_picture(picture, tmp_path / "out.jpg") == ("JPEG cannot keep the comments Title, Author.",)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info["comment"] == b"packed"
    assert read_picture(tmp_path / "out.jpg").metadata.comments == (("Comment", "packed"),)


def test_what_a_format_cannot_keep_is_noted(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    metadata = Metadata(iptc=IPTC, comments=(("Title", "x"),), resolution=(10.0, 10.0))
    picture = Picture(pixels=unit(photo), metadata=metadata)
    for form, suffix in (("WebP", ".webp"), ("AVIF", ".avif")):
        assert write_picture(picture, tmp_path / f"out{suffix}") == (
            f"{form} cannot keep the IPTC records.",
            f"{form} cannot keep the comments Title.",
            f"{form} cannot keep the resolution.",
        )
    assert write_picture(picture, tmp_path / "out.png") == ("PNG cannot keep the IPTC records.",)


def test_blocks_too_large_for_jpeg_are_noted(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    big = b"x" * 70_000
    pad = b"MM\0*" + struct.pack(">I", 8) + struct.pack(">HHHIII", 1, 0x10E, 2, len(big), 26, 0) + big
    metadata = Metadata(exif=pad, xmp=b"<x>" + big + b"</x>")
    picture = Picture(pixels=unit(photo), metadata=metadata)
    assert write_picture(picture, tmp_path / "out.png") == ()
    assert write_picture(picture, tmp_path / "out.jpg") == (
        "JPEG cannot keep all of the EXIF block.",
        "JPEG cannot keep this XMP packet (70007 bytes).",
    )


def test_a_gray_profile_does_not_go_into_a_colour_file(tmp_path: Path) -> None:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = b"GRAY"
    picture = Picture(pixels=np.zeros((3, 16, 16), np.float32), gray=True, profile=bytes(profile))
    notes = write_picture(picture, tmp_path / "out.webp")
    assert "The ICC profile does not fit into this WebP file: colours may look different." in notes
    assert read_picture(tmp_path / "out.webp").profile is None


def test_a_damaged_exif_block_is_left_out_with_a_note(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    save_jpeg(tmp_path / "in.jpg", photo, exif=b"Exif\0\0MM\0*\0\0\xff\xff")
    picture = read_picture(tmp_path / "in.jpg")
    assert picture.metadata.exif is None
    assert picture.notes == ("The EXIF block is damaged and is left out.",)


def test_further_pictures_in_a_jpeg_are_noted(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    pages = [Image.fromarray(photo), Image.fromarray(photo[::2, ::2].copy())]
    pages[0].save(tmp_path / "in.jpg", "MPO", save_all=True, append_images=pages[1:])
    (note,) = read_picture(tmp_path / "in.jpg").notes
    assert note.startswith("Further pictures in the file")


def test_colour_chunks_of_png_are_noted(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    for gamma, num_notes in ((45455, 0), (100000, 1)):
        info = PngImagePlugin.PngInfo()
        info.add(b"gAMA", struct.pack(">I", gamma))
        Image.fromarray(photo).save(tmp_path / "in.png", pnginfo=info)
        assert len(read_picture(tmp_path / "in.png").notes) == num_notes


def test_exif_follows_a_change_of_size(tmp_path: Path, photo: NDArray[np.uint8], exif: bytes) -> None:
    save_jpeg(tmp_path / "in.jpg", photo, exif=exif)
    picture = read_picture(tmp_path / "in.jpg")
    write_picture(with_pixels(picture, np.zeros((3, 8, 24), np.float32)), tmp_path / "out.jpg")
    below = open_exif(tmp_path / "out.jpg").get_ifd(ExifTags.IFD.Exif)
    assert below[ExifTags.Base.ExifImageWidth] == 24


def test_damaged_containers_end_quietly() -> None:
    whole = with_segments(b"\xff\xd8\xff\xd9", [(0xFE, b"one"), (0xFE, b"two")])
    assert [content for _, content in jpeg_segments(whole)] == [b"one", b"two"]
    for size in range(len(whole)):
        assert all(marker == 0xFE for marker, _ in jpeg_segments(whole[:size]))
