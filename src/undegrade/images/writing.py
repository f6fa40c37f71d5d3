"""Pictures into files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.atomic import written_whole
from undegrade.errors import UndegradeError
from undegrade.images import exif
from undegrade.images.content import edit, open_content
from undegrade.images.formats import BITS, LOSSY, SUFFIXES
from undegrade.images.metadata import attach, complete, kept_by_vips, lost
from undegrade.images.picture import SAMPLES, Picture, from_unit, gray_of
from undegrade.images.pipe import pass_on
from undegrade.images.vips import vips

# How each format is written: as close to lossless as it goes at a sensible size, chroma never halved where it can be.
SAVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "PNG": ("pngsave", {}),
    "JPEG": ("jpegsave", {"Q": 95, "subsample_mode": "off", "optimize_coding": True}),
    "TIFF": ("tiffsave", {"compression": "deflate", "predictor": "horizontal", "resunit": "inch"}),
    "WebP": ("webpsave", {"Q": 95, "smart_subsample": True, "exact": True}),
    "AVIF": ("heifsave", {"compression": "av1", "Q": 95, "subsample_mode": "off", "effort": 3}),
}
DEPTHS = {"PNG": (8, 16), "JPEG": (8,), "TIFF": (8, 16, 32), "WebP": (8,), "AVIF": (8, 16)}
CLASSIC_TIFF = 3 << 30  # bytes of samples; a classic TIFF file ends at 4 GiB, and noise does not compress
LARGE_JPEG = 4_000_000  # pixels; above, coding tables made for the picture would keep all of it in memory to save 3 %
ROWS = 64  # converted at a time
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
    return write_rows([picture], picture, picture.pixels.shape[1], path, quality=quality)


def write_rows(
    bands: Iterable[Picture],
    about: Picture,
    height: int,
    path: str | Path,
    *,
    num_pages: int = 1,
    quality: int | None = None,
) -> tuple[str, ...]:
    """`write_picture` for a picture that comes in bands, or for the pages of a TIFF file; encoded while they come.

    Args:
        bands: all rows from top to bottom, page after page, each band with its alpha where the picture has it.
        about: depth, profile and metadata of the picture; its pixels are not looked at.
        height: of a page, pixels.
        path: of the file.
        num_pages: how many there are, all of one size and kind; only TIFF takes more than one.
        quality: as for `write_picture`.

    Raises:
        UndegradeError: as `write_picture`; or the bands raise it. Nothing is then left at `path`.
    """
    path = Path(path)
    form = check_target(path, quality)
    if num_pages > 1 and form != "TIFF":
        raise UndegradeError(f"{path}: {form} holds one picture, not several pages; choose a name ending in .tif")
    notes: dict[str, None] = {}  # a set that keeps its order

    def samples() -> Iterator[NDArray[Any]]:
        for band in bands:
            for part in _sliced(band):
                values, lost_samples = samples_of(part, form)
                notes.update(dict.fromkeys(lost_samples))
                yield values

    with written_whole(path) as partial:
        try:
            # Every file is begun with all that is known of it, so an error of the pixels or the disk leaves nothing.
            save = Saver(target=partial, about=about, form=form, height=height, num_pages=num_pages, quality=quality)
            pass_on(samples(), height * num_pages, save)
            notes.update(dict.fromkeys(save.complete()))
        except vips().Error as error:
            _raise_of_disk(error)
            size = f"{about.pixels.shape[2]} x {height}"
            raise UndegradeError(f"{path}: {size} pixels cannot be written as {form} ({_detail(error)})") from None
    return tuple(notes)


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


def _sliced(band: Picture) -> Iterator[Picture]:
    """The band in parts, so that what is computed on the way to its samples is small."""
    for top in range(0, band.pixels.shape[1], ROWS):
        rows = slice(top, top + ROWS)
        alpha = None if band.alpha is None else band.alpha[:, rows]
        yield replace(band, pixels=band.pixels[:, rows], alpha=alpha)


@dataclass(frozen=True, kw_only=True)
class Saver:
    """Writes the image it is called with to `target`; `complete` then adds what libvips leaves out."""

    target: Path
    about: Picture
    form: str
    height: int  # of a page, pixels
    num_pages: int
    quality: int | None

    def __call__(self, image: Any) -> None:
        """Writes the pyvips image of all samples."""
        about, form = self._sized(image.width), self.form
        depth, gray = BITS[image.format], image.bands < 3
        names = {(8, True): "b-w", (8, False): "srgb", (16, True): "grey16", (16, False): "rgb16", (32, True): "b-w"}
        image = attach(image.copy(interpretation=names.get((depth, gray), "scrgb")), about, form)
        if self.num_pages > 1:
            image.set_type(vips().GValue.gint_type, "page-height", self.height)
        saver, options = SAVERS[form]
        if form == "AVIF":
            options = options | {"bitdepth": 12 if depth == 16 else 8}
        if form == "JPEG" and image.height * image.width > LARGE_JPEG:
            options = options | {"optimize_coding": False}
        if form == "TIFF" and depth == 32:
            options = options | {"predictor": "float"}
        if form == "TIFF" and image.height * image.width * image.bands * depth // 8 > CLASSIC_TIFF:
            options = options | {"bigtiff": True}
        if self.quality is not None:
            options = options | {"Q": self.quality}
        getattr(image, saver)(str(self.target), keep=kept_by_vips(about.metadata, form), **options)

    def complete(self) -> list[str]:
        """Adds the rest of the metadata; returns what the file could not keep of it and of the profile."""
        # TIFF is known by its first bytes, whatever the file is called.
        image = vips().Image.new_from_file(str(self.target), access="sequential")
        about = self._sized(image.width)
        with open_content(self.target) as content:
            edits = complete(content, about.metadata, self.form)
        edit(self.target, edits)
        with open_content(self.target) as content:
            return lost(vips().Image.new_from_file(str(self.target), access="sequential"), content, about, self.form)

    def _sized(self, width: int) -> Picture:
        """About the picture, with its size in its EXIF block."""
        metadata = self.about.metadata
        if metadata.exif is None:
            return self.about
        return replace(self.about, metadata=replace(metadata, exif=exif.upright(metadata.exif, width, self.height)))


def _raise_of_disk(error: Any) -> None:
    """Raises the disk's error, if it was one, as Python does."""
    of_system = re.search("^system error: (.*)$", error.detail, re.MULTILINE)
    if of_system:
        raise OSError(0, of_system[1]) from None


def _detail(error: Any) -> str:
    return " ".join(error.detail.split())


def samples_of(picture: Picture, form: str) -> tuple[NDArray[Any], list[str]]:
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
    return np.ascontiguousarray(np.moveaxis(samples, 0, 2)), notes
