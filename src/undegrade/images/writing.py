"""Pictures into files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from undegrade.atomic import written_whole
from undegrade.errors import UndegradeError
from undegrade.images import exif
from undegrade.images.formats import LOSSY, SUFFIXES
from undegrade.images.metadata import attach, complete, kept_by_vips, lost
from undegrade.images.picture import SAMPLES, Metadata, Picture, from_unit, gray_of
from undegrade.images.vips import vips

# How each format is written: as close to lossless as it goes at a sensible size, chroma never halved where it can be.
SAVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "PNG": ("pngsave_buffer", {}),
    "JPEG": ("jpegsave_buffer", {"Q": 95, "subsample_mode": "off", "optimize_coding": True}),
    "TIFF": ("tiffsave_buffer", {"compression": "deflate", "predictor": "horizontal", "resunit": "inch"}),
    "WebP": ("webpsave_buffer", {"Q": 95, "smart_subsample": True, "exact": True}),
    "AVIF": ("heifsave_buffer", {"compression": "av1", "Q": 95, "subsample_mode": "off", "effort": 3}),
}
DEPTHS = {"PNG": (8, 16), "JPEG": (8,), "TIFF": (8, 16, 32), "WebP": (8,), "AVIF": (8, 16)}
SAMPLE_BYTES = {"uchar": 1, "ushort": 2, "float": 4}
CLASSIC_TIFF = 3 << 30  # bytes of samples; a classic TIFF file ends at 4 GiB, and noise does not compress
AVIF_STEP = 16  # AVIF's deepest samples have 12 bits; libvips carries them in the upper 12 of 16


def write_picture(picture: Picture, path: str | Path, *, quality: int | None = None) -> tuple[str, ...]:
    """Writes the picture in the format its name ends with, in one step: the file is whole or absent.

    Args:
        picture: of any size the format holds.
        path: its ending is one of `SUFFIXES`. A link is not followed.
        quality: of a lossy format, 1 to 100; None takes 95.

    Returns:
        What the format could not keep, one sentence each.

    Raises:
        UndegradeError: unknown ending, no such folder, no permission, a size the format cannot hold, a quality out of
            range or for a lossless format.
    """
    return write_pages([picture], path, quality=quality)


def write_pages(pages: Iterable[Picture], path: str | Path, *, quality: int | None = None) -> tuple[str, ...]:
    """`write_picture` for pages of one size, depth and profile; only TIFF takes more than one.

    The first page's metadata is the file's. Pages are taken one at a time; what is kept of them until all are there is
    no deeper than the file's samples.
    """
    path = Path(path)
    form = check_target(path, quality)
    encoded, notes = _encode(path, pages, form, quality)
    with written_whole(path) as partial:
        partial.write_bytes(encoded)
    return notes


def check_target(path: Path, quality: int | None = None) -> str:
    """The format that `path` names.

    Raises:
        UndegradeError: no picture can be written there; as `write_picture`.
    """
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise UndegradeError(f"{path}: unknown ending {path.suffix!r}; expected one of {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise UndegradeError(f"{path}: the folder {path.parent} does not exist; create it first")
    if path.is_symlink():
        raise UndegradeError(f"{path}: a link of this name stands in the way; delete it, or choose another name")
    if path.is_dir():
        raise UndegradeError(f"{path}: a folder of this name stands in the way; choose another name")
    if quality is not None and form not in LOSSY:
        raise UndegradeError(f"quality: {form} is written without loss; leave it out, or choose {', '.join(LOSSY)}")
    if quality is not None and not 1 <= quality <= 100:
        raise UndegradeError(f"quality: {quality}; expected 1 to 100")
    return form


def _encode(path: Path, pages: Iterable[Picture], form: str, quality: int | None) -> tuple[bytes, tuple[str, ...]]:
    """The file, and what it could not keep."""
    images: list[Any] = []
    notes: list[str] = []
    first: Picture | None = None
    for page in pages:
        page = replace(page, metadata=_sized(page.metadata, *page.pixels.shape[:0:-1]))
        image, lost_samples = _to_vips(page, form)
        images.append(image)
        notes += lost_samples
        if first is None:
            first = replace(page, pixels=np.zeros((3, 0, 0), np.float32), alpha=None)
            continue
        if form != "TIFF":
            raise UndegradeError(f"{path}: {form} holds one picture, not several pages; choose a name ending in .tif")
        if _kind(image, page) != _kind(images[0], first):
            raise UndegradeError(f"{path}: pages of different size, depth or profile; write them as single files")
        if page.metadata != first.metadata:
            notes.append("Of the metadata, only the first page's is kept.")
    if first is None:
        raise UndegradeError(f"{path}: no pages; expected at least one")
    try:
        encoded = _compressed(attach(_joined(images), first, form), form, first, quality)
        notes += lost(encoded, first, form)
    except vips().Error as error:
        size, detail = f"{images[0].width} x {images[0].height}", " ".join(error.detail.split())
        raise UndegradeError(f"{path}: {size} pixels cannot be written as {form} ({detail})") from None
    return encoded, tuple(dict.fromkeys(notes))


def _compressed(image: Any, form: str, picture: Picture, quality: int | None) -> bytes:
    saver, options = SAVERS[form]
    if form == "AVIF":
        options = options | {"bitdepth": 12 if image.format == "ushort" else 8}
    if form == "TIFF" and image.format == "float":
        options = options | {"predictor": "float"}
    if form == "TIFF" and image.height * image.width * image.bands * SAMPLE_BYTES[image.format] > CLASSIC_TIFF:
        options = options | {"bigtiff": True}
    if quality is not None:
        options = options | {"Q": quality}
    encoded = getattr(image, saver)(keep=kept_by_vips(picture.metadata, form), **options)
    return complete(encoded, picture.metadata, form)


def _kind(image: Any, page: Picture) -> tuple[object, ...]:
    return image.width, image.height, image.bands, image.format, page.profile


def _joined(images: list[Any]) -> Any:
    """The pages one below the other, as libvips wants them."""
    if len(images) == 1:
        return images[0]
    joined = vips().Image.arrayjoin(images, across=1).copy()
    joined.set_type(vips().GValue.gint_type, "page-height", images[0].height)
    return joined


def _sized(metadata: Metadata, width: int, height: int) -> Metadata:
    """The metadata with the picture's size in its EXIF block."""
    return replace(metadata, exif=exif.upright(metadata.exif, width, height) if metadata.exif else None)


def _to_vips(picture: Picture, form: str) -> tuple[Any, list[str]]:
    """The picture as a pyvips image with the depth and channels that the format holds, and notes on what it lost."""
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
    samples = np.ascontiguousarray(np.moveaxis(samples, 0, 2))
    image = vips().Image.new_from_array(samples)
    names = {(8, True): "b-w", (8, False): "srgb", (16, True): "grey16", (16, False): "rgb16", (32, True): "b-w"}
    image = image.copy(interpretation=names.get((bits, gray), "scrgb"))
    return image, notes
