"""The learning rate over the steps of a stage."""

from __future__ import annotations

import math

SCHEDULES = ("cosine", "linear", "constant")


def share_of_peak(step: int, *, kind: str, steps: int, warmup: int, floor: float) -> float:
    """The share of the peak rate: rises linearly over `warmup` steps, then falls to `floor` by the last step.

    With s from 0 to 1 over the steps after the warm-up: "cosine", floor + (1 - floor) (1 + cos(pi s)) / 2; "linear",
    floor + (1 - floor) (1 - s), the decay that worst-case theory finds for the last iterate (Defazio et al., "When, Why
    and How Much? Adaptive Learning Rate Scheduling by Refinement", 2023); "constant", 1.

    >>> [round(share_of_peak(s, kind="cosine", steps=100, warmup=10, floor=0.0), 2) for s in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    >>> [round(share_of_peak(s, kind="linear", steps=100, warmup=0, floor=0.2), 2) for s in (0, 50, 100)]
    [1.0, 0.6, 0.2]
    """
    if step < warmup:
        return (step + 1) / warmup
    if kind == "constant":
        return 1.0
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    falling = 0.5 * (1 + math.cos(math.pi * done)) if kind == "cosine" else 1 - done
    return floor + (1 - floor) * falling
