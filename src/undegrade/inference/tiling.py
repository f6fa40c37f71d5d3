"""Pictures larger than a tile: looked at in samples, cut into overlapping tiles, put together without seams."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

OVERLAP = 48  # pixels that neighbours share at least; with 32, what was strongly hazed showed where tiles met
MARGIN = 8  # pixels along a tile's inner borders that do not count: there a network sees the border
SAMPLE = 256  # side in pixels of the samples that a picture is judged by, of the order of what networks are trained on
SAMPLED = 3  # rows and columns of samples, at most

Pixels = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A part of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """A part of a picture and how much it counts there: the weight of pixel (y, x) is rows[y] * columns[x]."""

    top: int  # pixels
    left: int  # pixels
    rows: Pixels  # (h,), in [0, 1]
    columns: Pixels  # (w,), in [0, 1]


def cut(
    height: int,
    width: int,
    *,
    tile: tuple[int, int],
    overlap: int = OVERLAP,
    margin: int = MARGIN,
    multiple: int = 1,
) -> list[list[Tile]]:
    """Rows of overlapping tiles whose weights sum to 1 at each pixel.

    The tiles are as few as `tile` permits and then as small as `overlap` permits, so that little is computed twice: a
    side of 1000 pixels takes three tiles of 400, not three of 512. They begin at multiples of `multiple`, where a
    network that halves the picture divides the whole, too; the last ones end with the picture.

    Args:
        height: of the picture, pixels.
        width: of the picture, pixels.
        tile: largest height and width of a tile, pixels.
        overlap: pixels that neighbours share at least, 0 to half of either.
        margin: pixels along inner borders whose weight is 0, 0 to overlap // 2.
        multiple: of the network; `tile` has multiples of it.

    Raises:
        ValueError: `overlap`, `margin` or `tile` is out of range.
    """
    if not 0 <= overlap <= min(tile) // 2:
        raise ValueError(f"overlap is {overlap}; it must be 0 to {min(tile) // 2}, half the tile")
    if not 0 <= margin <= overlap // 2:
        raise ValueError(f"margin is {margin}; it must be 0 to {overlap // 2}, half the overlap")
    if any(side % multiple or side == multiple for side in tile):
        raise ValueError(f"tile is {tile}; its sides must be multiples of {multiple}, at least twice that")
    rows, columns = (
        _axis(length, side, overlap, margin, multiple) for length, side in zip((height, width), tile, strict=True)
    )
    return [[Tile(top=top, left=left, rows=down, columns=across) for left, across in columns] for top, down in rows]


def _axis(length: int, tile: int, overlap: int, margin: int, multiple: int) -> list[tuple[int, Pixels]]:
    """Where the tiles begin along one side of the picture, and their weights along it."""
    if length <= tile:
        return [(0, np.ones(length, np.float32))]
    # Rounding a start to a multiple may cost nearly one multiple of the overlap.
    count = math.ceil((length - overlap - multiple + 1) / (tile - overlap - multiple + 1))
    least = math.ceil((length + (count - 1) * (overlap + multiple - 1)) / count)
    side = min(tile, math.ceil(least / multiple) * multiple)
    last = math.ceil((length - side) / multiple) * multiple
    starts = [round(i * last / (count - 1)) // multiple * multiple for i in range(count)]
    ends = [min(start + side, length) for start in starts]
    windows = [np.ones(end - start) for start, end in zip(starts, ends, strict=True)]
    for i in range(1, count):
        shared = ends[i - 1] - starts[i]
        ramp = np.pad(_ramp(shared - 2 * margin), margin, constant_values=(0, 1))
        windows[i][:shared] *= ramp
        windows[i - 1][len(windows[i - 1]) - shared :] *= ramp[::-1]
    total = np.zeros(length)
    for start, end, window in zip(starts, ends, windows, strict=True):
        total[start:end] += window
    # Two neighbours sum to 1 as they are; where a third one reaches in, they have to be made to.
    return [
        (start, (window / total[start:end]).astype(np.float32))
        for start, end, window in zip(starts, ends, windows, strict=True)
    ]


def _ramp(length: int) -> NDArray[np.float64]:
    """Raised cosine from 0 to 1, at pixel centres: (1 - cos(pi (k + 0.5) / n)) / 2, so ramp + reversed ramp = 1."""
    return (1 - np.cos(np.pi * (np.arange(length) + 0.5) / length)) / 2


def bands(
    grid: Sequence[Sequence[Tile]], read: Callable[[int, int, int, int], Pixels], work: Callable[[Pixels], Pixels]
) -> Iterator[Pixels]:
    """The picture that the worked tiles make, from top to bottom, in bands (C, h, W) that are finished.

    Only one row of tiles is held at a time, so memory does not grow with the height.

    Args:
        grid: from `cut`.
        read: (top, left, height, width) -> this part of the picture, (C, height, width); asked for from top to bottom.
        work: (C, h, w) -> the same shape.
    """
    carried: Pixels | None = None
    width = grid[0][-1].left + grid[0][-1].columns.size
    tops = [row[0].top for row in grid]
    for row, (top, following) in zip(grid, pairwise([*tops, tops[-1] + grid[-1][0].rows.size]), strict=True):
        band: Pixels | None = None
        for tile in row:
            worked = work(read(top, tile.left, tile.rows.size, tile.columns.size))
            if band is None:
                band = np.zeros((len(worked), tile.rows.size, width), np.float32)
                if carried is not None:
                    band[:, : carried.shape[1]] = carried
            band[:, :, tile.left : tile.left + tile.columns.size] += worked * (tile.rows[:, None] * tile.columns)
        assert band is not None  # a row has tiles
        finished = following - top
        carried = band[:, finished:].copy()  # what is finished is not kept alive
        yield band[:, :finished]


def samples(height: int, width: int, *, side: int = SAMPLE, most: int = SAMPLED, multiple: int = 1) -> list[list[Box]]:
    """Rows of the squares by which a picture is judged: up to `most` each way, evenly spread from edge to edge.

    They begin at multiples of `multiple`. A picture no larger than `side` is one sample as a whole.
    """

    def starts(length: int) -> list[int]:
        count = min(most, math.ceil(length / side))
        last = max(0, length - side)
        return sorted({round(start) // multiple * multiple for start in np.linspace(0, last, count)})

    return [
        [Box(top=top, left=left, height=min(side, height), width=min(side, width)) for left in starts(width)]
        for top in starts(height)
    ]
