"""A translucent watermark over the whole picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.lettering import ROWS, dots, inked, look_up, random_word, turned


@dataclass(frozen=True, kw_only=True)
class Watermark(Degradation):
    """A word and a sign, repeated slantwise: y = x * (1 - a * m) + c * a * m, a the opacity, m in [0, 1] the letters.

    c is white or black, as of stock photographs. The picture still shows through and can be computed back where a
    and c are known: "On the Effectiveness of Visible Watermarks", Dekel et al., 2017.
    """

    label = "watermark"
    family = "damage"
    opacity: tuple[float, float] = severity(0.12, 0.7, "opacity of the letters", limits=(0, 1))
    height: tuple[float, float] = severity(9, 28, "height of the letters, pixels", limits=(7, 1000), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, opacity: float, height: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same watermark on all pictures of a batch."""
        rows, columns = clean.shape[-2:]
        mask = opacity * repeated_mark(rows, columns, height / ROWS, rng)
        colour = float(uniform(rng, 0, 1) < 0.75)
        return clean * (1 - mask) + colour * mask


def repeated_mark(height: int, width: int, dot: float, rng: torch.Generator) -> Tensor:
    """(H, W) in [0, 1]: the mark in slanting rows, each shifted by half a step against the row before."""
    mark = dots(random_word(rng, 4, 8))
    if uniform(rng, 0, 1) < 0.6:
        mark = torch.cat((mark, torch.zeros(ROWS, 3), _sign(rng)), 1)
    beside, below = (int(torch.randint(4, 12, (), generator=rng)) for _ in range(2))
    tile = F.pad(mark, (beside, 0, below, 0))
    slant = math.radians(uniform(rng, 15, 50) * (1 if uniform(rng, 0, 1) < 0.5 else -1))
    start = (uniform(rng, 0, height), uniform(rng, 0, width))
    down, along = turned(height, width, start, slant, dot)
    row = torch.floor(down / tile.shape[0])
    along = torch.remainder(along + row * tile.shape[1] / 2, tile.shape[1])
    return inked(look_up(tile, down - row * tile.shape[0], along), dot, level=0.45)


def _sign(rng: torch.Generator) -> Tensor:
    """(7, 7) of 0 and 1: a random sign, the same left and right, in a frame half of the time."""
    half = (torch.rand(ROWS, 4, generator=rng) < 0.4).float()
    sign = torch.cat((half, half[:, :3].flip(1)), 1)
    if uniform(rng, 0, 1) < 0.5:
        sign[0], sign[-1], sign[:, 0], sign[:, -1] = 1.0, 1.0, 1.0, 1.0
    return sign
