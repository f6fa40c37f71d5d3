"""How much a clip flickers."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def flicker(frames: Iterable[NDArray[np.float32]], motion: tuple[int, int]) -> float:
    """Warping error over a pan of known motion, in 8-bit levels: mean |x_t+1(p + motion) - x_t(p)| * 255.

    The mean goes over pairs of neighbours, the pixels p that both show, and channels. A flawless pan over a still scene
    has none; noise drawn anew for each frame has 2 / sqrt(pi) of its standard deviation. With motion found by optical
    flow this is the warping error of Lai et al. (Learning Blind Video Temporal Consistency, 2018), squared there.

    Args:
        frames: (C, H, W) in [0, 1], two at least, of one size; two are held at a time.
        motion: pixels, down and across, by which what is seen moves from each frame to the next.

    Raises:
        ValueError: there are fewer than two frames, or nothing is seen in both of two neighbours.
    """
    down, across = motion
    errors = []
    for before, after in pairwise(frames):
        height, width = before.shape[-2:]
        if abs(down) >= height or abs(across) >= width:
            raise ValueError(f"motion is {motion}; it must be less than the frame's {height} x {width} pixels")
        seen = before[..., max(0, -down) : height - max(0, down), max(0, -across) : width - max(0, across)]
        again = after[..., max(0, down) : height - max(0, -down), max(0, across) : width - max(0, -across)]
        errors.append(float(np.abs(again - seen).mean(dtype=np.float64)))
    if not errors:
        raise ValueError("frames: fewer than two; expected two at least")
    return 255 * sum(errors) / len(errors)
