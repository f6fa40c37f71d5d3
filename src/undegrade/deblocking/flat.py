"""Where JPEG has left nothing of a block but its mean: a surface in place of steps."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from undegrade.deblocking.lattice import BLOCK
from undegrade.transform import Pixels

T = TypeVar("T", bound=np.generic)

PASSES, PACE = 3, 0.2  # so often a mean goes so far to each of its neighbours
JOINED = 1.5  # steps: blocks whose means differ by more are parted by an edge
SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))


def surface(means: Pixels, flat: NDArray[np.bool_], step: float) -> tuple[Pixels, Pixels]:
    """The brightness (8 h, 8 w) of flat blocks before their means were rounded, likely; and how far to go by it.

    Means go towards those of neighbours that are flat, too, and differ by a step at most, but no farther than half a
    step, as they would have been rounded to another value; between the middles of blocks it is bilinear. Seams of the
    sky vanish, and on photographs it is nearer to the truth in the mean (docs/experiments.md, 2026-12-01). Where a
    block has no such neighbour it says nothing: the second plane, in [0, 1], falls to 0 at that side.

    Args:
        means: (h, w), of blocks.
        flat: (h, w), which of them are.
        step: between values of a mean.
    """
    joined = {side: _joined(means, flat, step, side) for side in SIDES}
    made = means
    for _ in range(PASSES):
        pull = sum(np.where(joined[side], _beside(made, side) - made, 0) for side in SIDES)
        made = np.clip(made + np.float32(PACE) * pull, means - step / 2, means + step / 2)
    known: Pixels = np.stack([joined[side] for side in SIDES]).mean(0, dtype=np.float32)
    return _between(made, made, joined), np.maximum(_between(known, -known, joined), 0)


def _between(values: Pixels, elsewhere: Pixels, joined: dict[tuple[int, int], NDArray[np.bool_]]) -> Pixels:
    """(8 h, 8 w): bilinear between the middles of blocks, of a block that is not joined as if it had the second."""
    height, width = values.shape
    drawn = np.empty((height, BLOCK, width, BLOCK), np.float32)
    away = (np.arange(BLOCK // 2, dtype=np.float32) + np.float32(0.5)) / BLOCK  # of a pixel from the middle, in blocks
    for down in (-1, 1):
        for across in (-1, 1):
            first, second = (down, 0), (0, across)
            # Both ways round the corner: else a surface would go on across an edge.
            around = [_beside(joined[one], other) for one, other in ((first, second), (second, first))]
            both = joined[first] & joined[second] & around[0] & around[1]
            corners = [values]
            for side, known in ((first, joined[first]), (second, joined[second]), ((down, across), both)):
                corners.append(np.where(known, _beside(values, side), elsewhere))
            rows, columns = (away[::turn] for turn in (down, across))
            weights = [np.outer(*pair) for pair in ((1 - rows, 1 - columns), (rows, 1 - columns), (1 - rows, columns))]
            part = np.einsum("khw,kij->hiwj", corners, [*weights, np.outer(rows, columns)])
            drawn[:, _half(down), :, _half(across)] = part
    return drawn.reshape(height * BLOCK, width * BLOCK)


def _half(turn: int) -> slice:
    return slice(0, BLOCK // 2) if turn < 0 else slice(BLOCK // 2, BLOCK)


def _beside(values: NDArray[T], side: tuple[int, int]) -> NDArray[T]:
    """(h, w): of each block that of its neighbour at this side; at the border its own."""
    height, width = values.shape
    top, left = 1 + side[0], 1 + side[1]
    return np.pad(values, 1, "edge")[top : top + height, left : left + width]


def _joined(means: Pixels, flat: NDArray[np.bool_], step: float, side: tuple[int, int]) -> NDArray[np.bool_]:
    """(h, w): whether a block and its neighbour at this side are parts of one surface."""
    alike: NDArray[np.bool_] = np.abs(_beside(means, side) - means) <= JOINED * step
    return alike & flat & _beside(flat, side)
