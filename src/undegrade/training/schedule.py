"""The learning rate over the steps of a stage."""

from __future__ import annotations

import math


def warmup_cosine(step: int, *, steps: int, warmup: int, floor: float) -> float:
    """The share of the peak rate: rises linearly over `warmup` steps, then falls by half a cosine to `floor`.

    >>> [round(warmup_cosine(s, steps=100, warmup=10, floor=0.0), 2) for s in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
