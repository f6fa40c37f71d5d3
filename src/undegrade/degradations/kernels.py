"""Blur kernels whose level lines are ellipses."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def elliptic_kernel(
    profile: Callable[[Tensor], Tensor], *, sigma: float, ratio: float, turn: float, reach: float
) -> Tensor:
    """(h, w) of odd sides, sums to one: profile(r^2) with r^2 = (along / (ratio * sigma))^2 + (across / sigma)^2.

    Args:
        profile: the value at a squared radius.
        sigma: the unit of r across the long axis, pixels.
        ratio: long axis over short axis.
        turn: of the long axis from the horizontal, radians.
        reach: the r beyond which the kernel is cut off.
    """
    cos, sin = math.cos(turn), math.sin(turn)
    # The smallest upright rectangle around the turned ellipse: a long thin kernel stays cheap.
    right = max(1, math.ceil(reach * sigma * math.hypot(ratio * cos, sin)))
    down = max(1, math.ceil(reach * sigma * math.hypot(ratio * sin, cos)))
    rows = torch.arange(-down, down + 1, dtype=torch.float32)
    columns = torch.arange(-right, right + 1, dtype=torch.float32)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    along, across = (x * cos + y * sin) / (ratio * sigma), (y * cos - x * sin) / sigma
    squared = along**2 + across**2
    kernel = profile(squared) * (squared <= reach**2)
    return kernel / kernel.sum()
