"""Scratches and lines to be painted over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform

NUM_PIECES = 5  # straight pieces of one scratch


@dataclass(frozen=True, kw_only=True)
class Scratches(Degradation):
    """Bent scratches and straight lines across the picture, white or black: y = x * (1 - m) + colour * m.

    m in [0, 1] is the drawn mask with a smooth edge. What lay beneath is gone and has to be painted in.
    """

    label = "inpainting"
    family = "damage"
    count: tuple[float, float] = severity(1, 10, "scratches", limits=(0, 100), whole=True)
    thickness: tuple[float, float] = severity(1, 6, "pixels", limits=(0.5, 50))

    def apply(self, clean: Tensor, rng: torch.Generator, *, count: float, thickness: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same scratches on all pictures of a batch."""
        out = clean.clone()
        height, width = clean.shape[-2:]
        for _ in range(int(count)):
            mask = torch.zeros(height, width)
            thick = thickness * uniform(rng, 0.6, 1.4)
            for begin, end in _pieces(height, width, rng):
                _draw(mask, begin, end, thick)
            colour = uniform(rng, 0.88, 1) if uniform(rng, 0, 1) < 0.6 else uniform(rng, 0, 0.1)
            out = out * (1 - mask) + colour * mask
        return out


def _pieces(height: int, width: int, rng: torch.Generator) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Ends (y, x) of the straight pieces of one scratch: a wavering walk that starts anywhere in the picture."""
    y, x = uniform(rng, 0, height), uniform(rng, 0, width)
    heading = uniform(rng, 0, 2 * math.pi)
    bend = uniform(rng, 0, 0.5) if uniform(rng, 0, 1) < 0.6 else 0.0
    stride = uniform(rng, 0.25, 1) * max(height, width) / NUM_PIECES
    pieces = []
    for _ in range(NUM_PIECES):
        heading += bend * uniform(rng, -1, 1)
        after = (y + stride * math.sin(heading), x + stride * math.cos(heading))
        pieces.append(((y, x), after))
        y, x = after
    return pieces


def _draw(mask: Tensor, begin: tuple[float, float], end: tuple[float, float], thickness: float) -> None:
    """Raise `mask` (H, W) to 1 within half the thickness of the segment; works only inside the segment's own box."""
    reach = thickness / 2 + 1
    top, left = (max(0, int(min(begin[i], end[i]) - reach)) for i in (0, 1))
    bottom, right = (min(mask.shape[i], math.ceil(max(begin[i], end[i]) + reach) + 1) for i in (0, 1))
    if top >= bottom or left >= right:
        return
    y = torch.arange(top, bottom, dtype=torch.float32)[:, None] - begin[0]
    x = torch.arange(left, right, dtype=torch.float32)[None, :] - begin[1]
    dy, dx = end[0] - begin[0], end[1] - begin[1]
    along = ((y * dy + x * dx) / max(dy * dy + dx * dx, 1e-6)).clamp(0, 1)
    distance = torch.hypot(y - along * dy, x - along * dx)
    box = mask[top:bottom, left:right]
    torch.maximum(box, (thickness / 2 + 0.5 - distance).clamp(0, 1), out=box)
