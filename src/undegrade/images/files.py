"""Picture files: read them, write them, find them in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.atomic import written_whole
from undegrade.errors import UndegradeError
from undegrade.images import exif
from undegrade.images.metadata import attach, complete, kept_by_vips, lost, read_metadata
from undegrade.images.picture import Metadata, Picture, from_unit, gray_of, to_unit
from undegrade.images.vips import vips

# What is written, by the end of the file's name. GIF is read (one still picture), but holds too few colours to write.
SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WebP",
    ".avif": "AVIF",
}
LOADERS = {
    "PNG": "pngload_buffer",
    "JPEG": "jpegload_buffer",
    "TIFF": "tiffload_buffer",
    "WebP": "webpload_buffer",
    "AVIF": "heifload_buffer",
    "GIF": "gifload_buffer",
}
# How each format is written: as close to lossless as it goes at a sensible size, chroma never halved where it can be.
SAVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "PNG": ("pngsave_buffer", {}),
    "JPEG": ("jpegsave_buffer", {"Q": 95, "subsample_mode": "off", "optimize_coding": True}),
    "TIFF": ("tiffsave_buffer", {"compression": "deflate", "predictor": "horizontal", "resunit": "inch"}),
    "WebP": ("webpsave_buffer", {"Q": 95, "smart_subsample": True, "exact": True}),
    "AVIF": ("heifsave_buffer", {"compression": "av1", "Q": 95, "subsample_mode": "off", "effort": 3}),
}
DEPTHS = {"PNG": (8, 16), "JPEG": (8,), "TIFF": (8, 16, 32), "WebP": (8,), "AVIF": (8, 16)}
SAMPLES: dict[int, type[np.generic]] = {8: np.uint8, 16: np.uint16, 32: np.float32}
FORMATS = {np.uint8: "uchar", np.uint16: "ushort", np.float32: "float"}  # libvips' names of the sample formats
BITS = {"uchar": 8, "ushort": 16, "float": 32, "double": 32}  # by libvips' name of the sample format
AVIF_STEP = 16  # AVIF's deepest samples have 12 bits; libvips carries them in the upper 12 of 16

# First bytes of what people hand over by mistake, and what to do about each.
REFUSED = {
    b"%PDF": "a PDF document; export the page as .png first",
    b"<svg": "an SVG drawing, which has no pixels; export it as .png first",
    b"8BPS": "a Photoshop document; export it as .tif or .png first",
    b"BM": "a BMP file; save it as .png first",
    b"\xff\x0a": "a JPEG XL file; convert it to .png or .avif first",
    b"\0\0\0\x0cJXL ": "a JPEG XL file; convert it to .png or .avif first",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 file; convert it to .png or .tif first",
}


def read_picture(path: str | Path) -> Picture:
    """The picture in a PNG, JPEG, TIFF, WebP, AVIF or still GIF file, upright and in its own colour space.

    CMYK becomes sRGB through the file's profile, and a note says so. 10 and 12-bit AVIF counts as 16 bits. Floats must
    lie in [0, 1] and are taken as display values, not as linear light.

    Raises:
        UndegradeError: the file is missing, empty, unreadable, cut short, no picture, or holds several.
    """
    path = Path(path)
    data = read_bytes(path)
    image, samples, form, notes = _decode(path, data)
    metadata, metadata_notes = read_metadata(image, data, form)
    return picture_of(unit_values(path, samples, image, form), image, metadata, notes + metadata_notes)


def picture_of(values: NDArray[np.float32], image: Any, metadata: Metadata, notes: tuple[str, ...]) -> Picture:
    """The picture with these values, (C, H, W) in [0, 1], that a pyvips image describes."""
    num_colours = 1 if image.bands < 3 else 3
    return Picture(
        pixels=np.repeat(values[:1], 3, axis=0) if num_colours == 1 else values[:3],
        alpha=values[num_colours:] if image.bands > num_colours else None,
        bits=BITS[image.format],
        gray=num_colours == 1,
        profile=bytes(image.get("icc-profile-data")) if image.get_typeof("icc-profile-data") else None,
        metadata=metadata,
        notes=notes,
    )


def read_8bit(path: str | Path) -> NDArray[np.uint8]:
    """The pixels of a file alone: (3, H, W), RGB, 0 to 255, upright; deeper samples are rounded, alpha is dropped.

    Raises:
        UndegradeError: as `read_picture`.
    """
    return decode_8bit(read_bytes(Path(path)), path)


def decode_8bit(data: bytes, source: str | Path) -> NDArray[np.uint8]:
    """`read_8bit` of a file's content; `source` names it in errors."""
    image, samples, form, _ = _decode(Path(source), data)
    if samples.dtype == np.uint8:
        planes = np.moveaxis(samples, 2, 0)
    else:
        planes = (unit_values(Path(source), samples, image, form) * 255).round().astype(np.uint8)
    return planes[:1].repeat(3, axis=0) if image.bands < 3 else np.ascontiguousarray(planes[:3])


def _decode(path: Path, data: bytes) -> tuple[Any, NDArray[Any], str, tuple[str, ...]]:
    """The upright image, its samples (H, W, C), the file's format, and notes."""
    image, form, notes = open_image(path, data)
    with damage_named(path, data, form):
        return image, image.numpy().reshape(image.height, image.width, image.bands), form, notes


def open_image(path: Path, data: bytes, access: str = "random") -> tuple[Any, str, tuple[str, ...]]:
    """The upright pyvips image, not decoded yet, the file's format, and notes.

    With `access` "sequential", rows may be asked for from top to bottom only, and are decoded then; a picture that has
    to be turned is decoded as a whole all the same.
    """
    form = _format_of(path, data)
    with damage_named(path, data, form):
        load = getattr(vips().Image, LOADERS[form])
        image = load(data, fail_on="error", access=access)
        if image.get_typeof("orientation") and image.get("orientation") > 1:
            image = load(data, fail_on="error", access="random")
        _refuse_several(path, image, data, form)
        image, notes = _upright_rgb(path, image)
        return image, form, notes


@contextmanager
def damage_named(path: Path, data: bytes, form: str) -> Iterator[None]:
    """Where libvips finds a file damaged, say so in one line."""
    try:
        yield
    except vips().Error as error:
        raise UndegradeError(f"{path}: {_reason(data, form, error)}") from None


def read_bytes(path: Path) -> bytes:
    """The file as it is; refuses what is missing, empty, a folder, or cannot be read."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UndegradeError(f"{path}: no such file; check the name") from None
    except IsADirectoryError:
        raise UndegradeError(f"{path}: a folder; expected a picture file") from None
    except PermissionError:
        raise UndegradeError(f"{path}: no permission to read it; change its access rights, or copy it") from None
    except OSError as error:
        raise UndegradeError(f"{path}: cannot be read ({error.strerror}); check the disk") from None
    if not data:
        raise UndegradeError(f"{path}: the file is empty (0 bytes); copy it again from its source")
    return data


def _format_of(path: Path, data: bytes) -> str:
    """The format by the first bytes, because names lie."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return "AVIF"
    if data.startswith(b"GIF8"):
        return "GIF"
    for mark, what in REFUSED.items():
        if data.startswith(mark) or (mark == b"<svg" and mark in data[:1000]):
            raise UndegradeError(f"{path}: {what}")
    raise UndegradeError(f"{path}: not a picture; expected one of {', '.join(LOADERS)}")


def _refuse_several(path: Path, image: Any, data: bytes, form: str) -> None:
    num_pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    animated = (form == "PNG" and b"acTL" in data[: data.find(b"IDAT")]) or data[4:12] == b"ftypavis"
    if num_pages > 1 or animated:
        pages = "an animation" if animated else f"{num_pages} pages or frames"
        raise UndegradeError(
            f"{path}: holds {pages}; files with several pictures are not supported yet, save the one you want alone"
        )


def _reason(data: bytes, form: str, error: Exception) -> str:
    """What is wrong with a file that libvips refuses, in one line."""
    if form == "AVIF" and data[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis"):
        return "an HEIC file, whose codec (HEVC) is not included; convert it to .jpg, .png or .avif first"
    if data[4:12] == b"ftypavis":
        return "holds an animation; files with several pictures are not supported yet, save the one you want alone"
    detail = " ".join(getattr(error, "detail", str(error)).split("\n")[0].split())
    return f"the {form} file is cut short or damaged; copy it again from its source ({detail or 'unreadable header'})"


def _upright_rgb(path: Path, image: Any) -> tuple[Any, tuple[str, ...]]:
    """The image turned as its Orientation says, with gray or RGB samples of a depth this room knows."""
    notes: tuple[str, ...] = ()
    if image.format not in BITS or image.coding != "none":
        raise UndegradeError(f"{path}: samples are {image.format}; expected 8 or 16 bits unsigned, or floats")
    if image.format == "double":
        notes = ("64-bit floats were rounded to 32 bits.",)
    if image.interpretation == "cmyk":
        depth = 16 if image.format == "ushort" else 8
        image = image.icc_transform(
            "srgb", embedded=True, input_profile="cmyk", intent="relative", black_point_compensation=True, depth=depth
        )
        notes = ("CMYK was converted to sRGB; the file is written as RGB.",)
    if image.interpretation in ("lab", "labs", "labq", "xyz"):
        raise UndegradeError(f"{path}: colours are {image.interpretation.upper()}; convert the file to RGB first")
    if image.bands > 4:
        raise UndegradeError(f"{path}: {image.bands} channels; expected gray or RGB, with or without transparency")
    return image.autorot(), notes


def unit_values(path: Path, samples: NDArray[Any], image: Any, form: str) -> NDArray[np.float32]:
    """(H, W, C) samples -> (C, H, W) in [0, 1]."""
    samples = np.moveaxis(samples, 2, 0)
    if form == "AVIF" and image.format == "ushort":
        step = 1 << (16 - image.get("bits-per-sample"))
        return np.divide(np.ascontiguousarray(samples), 65536 - step, dtype=np.float32)
    values = to_unit(np.ascontiguousarray(samples))
    if samples.dtype.kind == "f" and not (values.min() >= 0 and values.max() <= 1):
        raise UndegradeError(
            f"{path}: floats from {values.min():g} to {values.max():g}; expected values in [0, 1], scale them first"
        )
    return values


def write_picture(picture: Picture, path: str | Path) -> tuple[str, ...]:
    """Writes the picture in the format its name ends with, in one step: the file is whole or absent.

    Returns:
        What the format could not keep, one sentence each.

    Raises:
        UndegradeError: unknown ending, no such folder, no permission, or a size the format cannot hold.
    """
    path = Path(path)
    form = form_to_write(path)
    samples, notes = samples_of(picture, form)
    height, width, bands = samples.shape
    data = vips().Image.new_from_memory(samples, width, height, bands, FORMATS[samples.dtype.type])
    return notes + save(data, picture, path, form)


def form_to_write(path: Path) -> str:
    """The format that the file's name asks for; refuses what cannot be written there."""
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise UndegradeError(f"{path}: unknown ending {path.suffix!r}; expected one of {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise UndegradeError(f"{path}: the folder {path.parent} does not exist; create it first")
    if path.is_dir():
        raise UndegradeError(f"{path}: a folder of this name stands in the way; choose another name")
    return form


def save(samples: Any, about: Picture, path: Path, form: str) -> tuple[str, ...]:
    """Write a pyvips image of the samples that `samples_of` gives; returns what the metadata lost.

    Args:
        samples: the whole picture.
        about: its depth, profile and metadata; its pixels are not looked at.
        path: of the file.
        form: its format.
    """
    width, height = samples.width, samples.height
    metadata = _sized(about.metadata, width, height)
    about = replace(about, metadata=metadata)
    try:
        names = {(8, True): "b-w", (8, False): "srgb", (16, True): "grey16", (16, False): "rgb16", (32, True): "b-w"}
        image = samples.copy(interpretation=names.get((BITS[samples.format], samples.bands < 3), "scrgb"))
        image = attach(image, about, form)
        saver, options = SAVERS[form]
        if form == "AVIF":
            options = options | {"bitdepth": 12 if image.format == "ushort" else 8}
        if form == "TIFF" and image.format == "float":
            options = options | {"predictor": "float"}
        encoded = getattr(image, saver)(keep=kept_by_vips(metadata, form), **options)
        encoded = complete(encoded, metadata, form)
        notes = lost(encoded, about, form)
    except vips().Error as error:
        detail = " ".join(error.detail.split())
        raise UndegradeError(f"{path}: {width} x {height} pixels cannot be written as {form} ({detail})") from None
    with written_whole(path) as partial:
        partial.write_bytes(encoded)
    return tuple(notes)


def _sized(metadata: Metadata, width: int, height: int) -> Metadata:
    """The metadata with the picture's size in its EXIF block."""
    return replace(metadata, exif=exif.upright(metadata.exif, width, height) if metadata.exif else None)


def samples_of(picture: Picture, form: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The (H, W, C) samples, of the depth and channels that the format holds, and notes on what they lost."""
    notes = []
    bits = max((depth for depth in DEPTHS[form] if depth <= picture.bits), default=8)
    if bits < picture.bits or (form == "AVIF" and bits == 16):
        held = 12 if form == "AVIF" and bits == 16 else bits
        notes.append(f"{form} holds {held} bits: the {picture.bits}-bit samples were rounded.")
    pixels, alpha = picture.pixels, picture.alpha
    if alpha is not None and form == "JPEG":
        notes.append("JPEG holds no transparency: the picture was laid over white.")
        opaque = alpha.clip(0, 1)
        pixels, alpha = pixels * opaque + (1 - opaque), None
    gray = picture.gray and form not in ("WebP", "AVIF")
    if picture.gray and not gray:
        notes.append(f"{form} is written in colour: the gray picture became RGB.")
    planes = [gray_of(pixels) if gray else pixels] + ([] if alpha is None else [alpha])
    values = np.concatenate(planes)
    if form == "AVIF" and bits == 16:
        samples = np.rint(from_unit(values, np.float32) * 4095).astype(np.uint16) * AVIF_STEP
    else:
        samples = from_unit(values, SAMPLES[bits])
    return np.ascontiguousarray(np.moveaxis(samples, 0, 2)), tuple(notes)


def find_pictures(folder: str | Path) -> list[Path]:
    """The picture files of a folder (not of the folders in it), sorted by name.

    Raises:
        UndegradeError: there is no such folder, or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UndegradeError(f"{folder}: no such folder; expected one with pictures")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file() and p.name[0] != ".")
    if not paths:
        raise UndegradeError(f"{folder}: no pictures in this folder; expected files ending in {', '.join(SUFFIXES)}")
    return paths
