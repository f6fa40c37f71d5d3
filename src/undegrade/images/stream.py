"""Pictures that are read and written in bands of rows, so that memory does not grow with their height."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.images.files import (
    BITS,
    FORMATS,
    damage_named,
    form_to_write,
    open_image,
    picture_of,
    read_bytes,
    samples_of,
    save,
    unit_values,
)
from undegrade.images.metadata import read_metadata
from undegrade.images.picture import Picture, to_unit
from undegrade.images.vips import vips

Pixels = NDArray[np.float32]


class PictureRows:
    """A picture file, decoded as its rows are asked for, from top to bottom; the file's own bytes stay in memory.

    A picture that has to be turned is decoded as a whole, by libvips, on disk where it is large.

    Args:
        path: as for `read_picture`.

    Attributes:
        height: pixels, upright.
        width: pixels, upright.
        about: the picture without its pixels: depth, profile, metadata, whether it is gray and has alpha.

    Raises:
        UndegradeError: as `read_picture`, where the header shows it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._data = path, read_bytes(path)
        image, self._form, notes = open_image(path, self._data)
        metadata, metadata_notes = read_metadata(image, self._data, self._form)
        nothing = np.zeros((image.bands, 0, image.width), np.float32)
        self.about = picture_of(nothing, image, metadata, notes + metadata_notes)
        self.height, self.width = image.height, image.width
        self.rewind()

    @property
    def gray(self) -> bool:
        """Whether it has one channel of colour."""
        return self.about.gray

    def pixels(self, top: int, height: int) -> Pixels:
        """The colours of these rows, (3, height, W) in [0, 1]."""
        return self.read(top, height).pixels

    def rewind(self) -> None:
        """Begin at the top again."""
        with damage_named(self.path, self._data, self._form):
            self._image, *_ = open_image(self.path, self._data, "sequential")
            self._region = vips().Region.new(self._image)
        self._top, self._kept = 0, self._samples(0, 0)  # the row at which the kept samples begin

    def read(self, top: int, height: int) -> Picture:
        """These rows as a picture of their own, with its alpha; no row above an earlier call's first."""
        bottom, have = top + height, self._top + len(self._kept)
        if top < self._top or bottom > self.height:
            raise ValueError(f"rows {top} to {bottom}; expected from {self._top} to {self.height}")
        if bottom > have:
            for start in range(have, top, height):  # what is skipped is decoded and forgotten
                self._samples(start, min(height, top - start))
            fresh = self._samples(max(have, top), bottom - max(have, top))
            self._kept = np.concatenate([self._kept[top - self._top :], fresh])
        else:
            self._kept = self._kept[top - self._top :]
        self._top = top
        values = unit_values(self.path, self._kept[:height], self._image, self._form)
        return picture_of(values, self._image, self.about.metadata, ())

    def _samples(self, top: int, height: int) -> NDArray[np.generic]:
        """(height, W, C), decoded."""
        kind = next(dtype for dtype, name in FORMATS.items() if BITS[name] == BITS[self._image.format])
        shape = (height, self.width, self._image.bands)
        if not height:
            return np.zeros(shape, kind)
        with damage_named(self.path, self._data, self._form):
            fetched = self._region.fetch(0, top, self.width, height)
        kind = np.float64 if self._image.format == "double" else kind
        return np.frombuffer(fetched, kind).reshape(shape)


def size_of(path: Path) -> int:
    """The pixels of a picture file, by its header; errors as `read_picture`."""
    image, *_ = open_image(path, read_bytes(path))
    size: int = image.width * image.height
    return size


def reduced(path: Path, side: int) -> Pixels:
    """A picture file's colours, no larger than a square of `side` pixels, (3, h, W) in [0, 1]."""
    small = vips().Image.thumbnail(str(path), side, size="down").colourspace("srgb")
    samples = np.moveaxis(small.numpy()[:, :, :3], 2, 0)
    return to_unit(np.ascontiguousarray(samples))


def write_rows(bands: Iterable[Picture], about: Picture, height: int, path: Path) -> tuple[str, ...]:
    """Write a picture that comes in bands, from top to bottom; as `write_picture` writes it in one piece.

    The samples wait on disk, beside the file, until all are there.

    Args:
        bands: all rows, each band with its alpha where the picture has it.
        about: depth, profile and metadata of the picture; its pixels are not looked at.
        height: of the picture, pixels.
        path: of the file.

    Raises:
        UndegradeError: as `write_picture`; nothing is then left at `path`.
    """
    form = form_to_write(path)
    try:
        with tempfile.TemporaryDirectory(prefix=".rows-", dir=path.parent) as folder:
            raw = Path(folder) / "samples"
            notes: tuple[str, ...] = ()
            with raw.open("wb") as file:
                for band in bands:
                    samples, notes = samples_of(band, form)
                    file.write(samples.data)
            _, width, channels = samples.shape
            whole = vips().Image.rawload(str(raw), width, height, channels, format=FORMATS[samples.dtype.type])
            return notes + save(whole, about, path, form)
    except OSError as error:
        raise UndegradeError(f"{path}: cannot be written ({error.strerror}); check the folder and the disk") from None
