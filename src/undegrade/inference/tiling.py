"""Pictures larger than a tile: cut into overlapping tiles, put together without seams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TILE = 768  # largest side of a tile in pixels; what fits into one tile runs whole
OVERLAP = 64  # pixels that neighbours share at least
SURVEYED = 3  # rows and columns of tiles that a diagnosis looks at, at most

Pixels = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """A part of a picture and how much it counts there: the weight of pixel (y, x) is rows[y] * columns[x]."""

    top: int  # pixels
    left: int  # pixels
    rows: Pixels  # (h,), in (0, 1]
    columns: Pixels  # (w,), in (0, 1]

    @property
    def area(self) -> float:
        """The pixels of the picture that are this tile's, counted by weight; over all tiles they sum to H * W."""
        return float(self.rows.sum()) * float(self.columns.sum())

    def crop(self, image: Pixels) -> Pixels:
        """The part of (C, H, W) that the tile covers, (C, h, w), a view."""
        return image[:, self.top : self.top + self.rows.size, self.left : self.left + self.columns.size]


def cut(height: int, width: int, *, tile: int = TILE, overlap: int = OVERLAP, multiple: int = 1) -> list[list[Tile]]:
    """Rows of overlapping tiles, all of one size, whose weights sum to 1 at each pixel.

    The tiles are as few as `tile` permits and then as small as `overlap` permits, so that little is computed twice: a
    side of 1000 pixels takes two tiles of 532, not two of 768.

    Args:
        height: of the picture, pixels.
        width: of the picture, pixels.
        tile: largest side of a tile, pixels.
        overlap: pixels that neighbours share at least, 0 to tile // 2.
        multiple: the sides of the tiles are multiples of it where the picture is larger than one.

    Raises:
        ValueError: `overlap` is out of range.
    """
    if not 0 <= overlap <= tile // 2:
        raise ValueError(f"overlap is {overlap}; it must be 0 to {tile // 2}, half the tile")
    rows, columns = (_axis(length, tile, overlap, multiple) for length in (height, width))
    return [[Tile(top=top, left=left, rows=down, columns=across) for left, across in columns] for top, down in rows]


def _axis(length: int, tile: int, overlap: int, multiple: int) -> list[tuple[int, Pixels]]:
    """Where the tiles begin along one side of the picture, and their weights along it."""
    if length <= tile:
        return [(0, np.ones(length, np.float32))]
    count = math.ceil((length - overlap) / (tile - overlap))
    least = math.ceil((length + (count - 1) * overlap) / count)
    side = min(tile, math.ceil(least / multiple) * multiple)
    starts = [round(i * (length - side) / (count - 1)) for i in range(count)]
    windows = []
    for i, start in enumerate(starts):
        window = np.ones(side)
        if i > 0:
            shared = starts[i - 1] + side - start
            window[:shared] *= _ramp(shared)
        if i < count - 1:
            shared = start + side - starts[i + 1]
            window[side - shared :] *= _ramp(shared)[::-1]
        windows.append(window)
    total = np.zeros(length)
    for start, window in zip(starts, windows, strict=True):
        total[start : start + side] += window
    # Two neighbours sum to 1 as they are; where a third one reaches in, they have to be made to.
    return [
        (start, (window / total[start : start + side]).astype(np.float32))
        for start, window in zip(starts, windows, strict=True)
    ]


def _ramp(length: int) -> NDArray[np.float64]:
    """Raised cosine from 0 to 1, at pixel centres: (1 - cos(pi (k + 0.5) / n)) / 2, so ramp + reversed ramp = 1."""
    return (1 - np.cos(np.pi * (np.arange(length) + 0.5) / length)) / 2


def blend(canvas: Pixels, tile: Tile, pixels: Pixels) -> None:
    """Add the tile's `pixels` (C, h, w), weighted, to the canvas (C, H, W), which begins as zeros."""
    tile.crop(canvas)[:] += pixels * (tile.rows[:, None] * tile.columns)


def survey(grid: Sequence[Sequence[Tile]], most: int = SURVEYED) -> list[Tile]:
    """The tiles that stand for the whole picture: of at most `most` rows and columns, evenly spread to the edges."""

    def chosen(count: int) -> list[int]:
        return sorted({round(i) for i in np.linspace(0, count - 1, min(count, most))})

    return [grid[row][column] for row in chosen(len(grid)) for column in chosen(len(grid[0]))]


def combine(probabilities: Sequence[Pixels], tiles: Sequence[Tile]) -> Pixels:
    """The mean of the tiles' probabilities (num_labels,), each weighted by the area that is the tile's."""
    mean = np.average(np.stack(probabilities), axis=0, weights=[tile.area for tile in tiles])
    return mean.astype(np.float32)
