"""What a repair did to a picture, in a few numbers that need no clean picture beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601
BLOCK = 8  # pixels, side of the squares over which shifts of tone are taken
SMALL = 1e-3  # a quarter of a level of 8 bits, below which ratios and logarithms do not tell apart
FEW = (50, 90, 99, 99.9)  # per cent of the pixels: a scratch or a flake is taken out of few of them
ENDS = (1, 99)  # per cent, below which the darkest and above which the brightest values count as no more than that
PLAIN = 0.1  # change of a value from which on a pixel counts as plainly changed, as under a scratch
ENOUGH = 8  # such pixels, of which more can be said
UNSEEN = (0.5, 0.5, 0.5, 0.0, 0.0)  # what is said of fewer: neither like a scratch nor unlike one
NUM_EVIDENCE = 30


def evidence(before: Pixels, after: Pixels) -> Pixels:
    """What became of a part of a picture: (30,).

    The change's size (log of its root mean square), its mean of each colour, how it varies from square to square, the
    share of pixels at 0 and at 1 before and after, the detail (root mean square of the differences of neighbours, its
    log) before and after, the mean light before and after, how alike the two are in the large (correlation of the
    squares' luma), the change that few pixels exceed (logs, see `FEW`), where the darkest colours of the pixels begin
    and the brightest end (see `ENDS`), before and after, and eight numbers of the pixels that change plainly.

    Args:
        before: (3, H, W) in [0, 1], at least 16 pixels a side.
        after: the same part repaired, clipped.
    """
    change = after - before
    inks = np.tensordot(LUMA, np.stack([before, after], axis=1), 1)
    old, new = (_squares(luma) for luma in inks)
    spread_old, spread_new = old.std(), new.std()
    alike = ((old - old.mean()) * (new - new.mean())).mean() / (spread_old * spread_new + SMALL**2)
    return np.array(
        [
            _log(float(np.sqrt(np.square(change).mean()))),
            *change.mean((1, 2)),
            _log(float(_squares(inks[1] - inks[0]).std())),
            *(float((picture <= 0).mean()) for picture in (before, after)),
            *(float((picture >= 1).mean()) for picture in (before, after)),
            *(_log(detail(luma)) for luma in inks),
            *(float(luma.mean()) for luma in inks),
            float(alike),
            *(_log(float(size)) for size in np.percentile(np.abs(change).max(0), FEW)),
            *(end for picture in (before, after) for end in _ends(picture)),
            *_plainly_changed(before, change, inks[0]),
        ],
        np.float32,
    )


def _ends(picture: Pixels) -> tuple[float, float]:
    dark, bright = ENDS
    return float(np.percentile(picture.min(0), dark)), float(np.percentile(picture.max(0), bright))


def _plainly_changed(before: Pixels, change: Pixels, luma: Pixels) -> tuple[float, ...]:
    """What tells a scratch from a wire.

    How many pixels change plainly (log), what share of the whole change that is, and the size of the rest of it, over
    all pixels (log of its root mean square); how close together they lie; how far from black or white they were, in
    the mean and nine of ten at most; how colourful they were; and whether they get darker (-1) or brighter (1). Of
    fewer than `ENOUGH` the last five are `UNSEEN`.
    """
    plain, squares = np.abs(change).max(0) > PLAIN, np.square(change).sum(0)
    sizes = (
        _log(float(plain.mean())),
        float(squares[plain].sum() / (squares.sum() + SMALL**2)),
        _log(float(np.sqrt(squares[~plain].sum() / squares.size))),
    )
    if plain.sum() < ENOUGH:
        return (*sizes, *UNSEEN)
    height, width = plain.shape
    around = np.pad(plain, 1).astype(np.float32)
    near = np.mean([around[i : i + height, j : j + width] for i in range(3) for j in range(3)], axis=0)
    far = np.minimum(luma, 1 - luma)[plain]
    return (
        *sizes,
        float(near[plain].mean()),
        float(far.mean()),
        float(np.percentile(far, 90)),
        float((before.max(0) - before.min(0))[plain].mean()),
        float(np.sign(change.mean(0)[plain]).mean()),
    )


def likeness(facts: Pixels) -> float:
    """Of (N, 30): how alike the parts and what became of them are in the large, mean over the parts."""
    return float(facts[:, 13].mean())


def new_clipping(facts: Pixels) -> float:
    """Of (N, 30): the mean share of pixels that are newly 0 or 1."""
    return float((facts[:, 6] - facts[:, 5] + facts[:, 8] - facts[:, 7]).mean())


def change_of_colour(facts: Pixels) -> float:
    """Of (N, 30): how far the mean colour of a part moves at most in one of the three, mean over the parts."""
    return float(np.abs(facts[:, 1:4]).max(1).mean())


def detail(luma: Pixels) -> float:
    """Root mean square of the differences between neighbours, (H, W)."""
    return float(np.sqrt((np.square(np.diff(luma, axis=0)).mean() + np.square(np.diff(luma, axis=1)).mean()) / 2))


def _squares(luma: Pixels) -> Pixels:
    """(H, W) -> the means of whole squares."""
    height, width = (side // BLOCK * BLOCK for side in luma.shape)
    return luma[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean((1, 3))


def _log(value: float) -> float:
    return float(np.log10(value + SMALL))
