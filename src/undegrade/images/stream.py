"""Pictures that are read in bands of rows, so that memory does not grow with their height."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undegrade.images.files import damage_named, open_image, picture_of, unit_values
from undegrade.images.formats import BITS
from undegrade.images.limits import LIMITS, Limits
from undegrade.images.picture import SAMPLES, Picture
from undegrade.images.vips import vips

Pixels = NDArray[np.float32]


class PictureRows:
    """A picture file, decoded as its rows are asked for, from top to bottom.

    A picture that has to be turned is decoded as a whole, by libvips, on disk where it is large.

    Args:
        path: as for `open_image`.
        limits: how large it may be.
        page: of a TIFF file, one of `Opened.pages`; None is the first.

    Attributes:
        opened: what its header says.
        height: pixels, upright.
        width: pixels, upright.
        about: the picture without its pixels: depth, profile, metadata, whether it is gray and has alpha.

    Raises:
        UndegradeError: as `open_image`.
    """

    def __init__(self, path: Path, limits: Limits = LIMITS, *, page: int | None = None) -> None:
        self.page, self._open = page, partial(open_image, path, limits, page=page)
        self.opened = opened = self._open()
        self.height, self.width = opened.image.height, opened.image.width
        self.about = picture_of(opened, np.zeros((opened.image.bands, 0, self.width), np.float32))
        self._begin()

    @property
    def gray(self) -> bool:
        """Whether it has one channel of colour."""
        return self.about.gray

    def pixels(self, top: int, left: int, height: int, width: int) -> Pixels:
        """The colours of a part of the picture, (3, height, width) in [0, 1]; order as for `read`."""
        return self._read(top, height, slice(left, left + width)).pixels

    def rewind(self) -> None:
        """Begin at the top again."""
        if self._top + len(self._kept) and not self.opened.turned:
            self.opened = self._open()
        self._begin()

    def blocks(self, height: int) -> Iterator[Picture]:
        """All rows from the top on, so many at a time."""
        self.rewind()
        for top in range(0, self.height, height):
            yield self.read(top, min(height, self.height - top))

    def _begin(self) -> None:
        with damage_named(self.opened.path, self.opened.form):
            self._region = vips().Region.new(self.opened.image)
        self._top, self._kept = 0, self._samples(0, 0)  # the row at which the kept samples begin

    def read(self, top: int, height: int) -> Picture:
        """These rows as a picture of their own, with its alpha; no row above an earlier call's first."""
        return self._read(top, height, slice(None))

    def _read(self, top: int, height: int, across: slice) -> Picture:
        bottom, have = top + height, self._top + len(self._kept)
        if top < self._top or bottom > self.height:
            raise ValueError(f"rows {top} to {bottom}; expected from {self._top} to {self.height}")
        self._kept = self._kept[top - self._top :]
        self._top = top
        if bottom > have:
            for start in range(have, top, height):  # what is skipped is decoded and forgotten
                self._samples(start, min(height, top - start))
            self._kept = np.concatenate([self._kept, self._samples(max(have, top), bottom - max(have, top))])
        values = unit_values(self.opened.path, self._kept[:height, across], self.opened.image)
        return picture_of(self.opened, values)

    def _samples(self, top: int, height: int) -> NDArray[np.generic]:
        """(height, W, C), decoded."""
        image, kind = self.opened.image, SAMPLES[BITS[self.opened.image.format]]
        shape = (height, self.width, image.bands)
        if not height:
            return np.zeros(shape, kind)
        with damage_named(self.opened.path, self.opened.form):
            fetched = self._region.fetch(0, top, self.width, height)
        return np.frombuffer(fetched, kind).reshape(shape)


def reduced(path: Path, side: int, limits: Limits = LIMITS) -> Pixels:
    """A picture file's colours in sRGB, no larger than a square of `side` pixels, (3, h, w) in [0, 1].

    Raises:
        UndegradeError: as `open_image`, or the pixels are damaged.
    """
    opened = open_image(path, limits)
    with damage_named(path, opened.form):
        image = opened.image
        small = image.thumbnail_image(side, size="down").colourspace("srgb")
        samples = small.numpy()[:, :, :3]
    return unit_values(path, samples, small)
