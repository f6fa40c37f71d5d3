"""A translucent watermark over the whole picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.lettering import (
    BASELINE,
    CAP,
    ROWS,
    SPREAD,
    inked,
    look_up,
    random_face,
    random_word,
    turned,
    typeset,
)

RADIUS, LINE = 11.0, 1.2  # samples, of the sign and half the width of its outline


@dataclass(frozen=True, kw_only=True)
class Watermark(Degradation):
    """A word and a sign, repeated slantwise: y = x * (1 - a * m) + c * a * m, a the opacity, m in [0, 1] the letters.

    c is white or black, as of stock photographs. The picture still shows through and can be computed back where a
    and c are known: "On the Effectiveness of Visible Watermarks", Dekel et al., 2017.
    """

    label = "watermark"
    family = "damage"
    opacity: tuple[float, float] = severity(0.12, 0.7, "opacity of the letters", limits=(0, 1))
    height: tuple[float, float] = severity(9, 28, "height of the capitals, pixels", limits=(7, 1000), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, opacity: float, height: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same watermark on all pictures of a batch."""
        rows, columns = clean.shape[-2:]
        mask = opacity * repeated_mark(rows, columns, height / CAP, rng)
        colour = float(uniform(rng, 0, 1) < 0.75)
        return clean * (1 - mask) + colour * mask


def repeated_mark(height: int, width: int, dot: float, rng: torch.Generator) -> Tensor:
    """(H, W) in [0, 1]: the mark in slanting rows, each shifted by half a step against the row before.

    `dot` is the size of a sample of the letters in pixels.
    """
    mark = typeset(_name(rng), random_face(rng))
    if uniform(rng, 0, 1) < 0.6:
        mark = torch.cat((_sign(rng), mark), 1)
    beside, below = int(torch.randint(8, 30, (), generator=rng)), int(torch.randint(18, (), generator=rng))
    tile = F.pad(mark, (beside, 0, below, 0))
    slant = math.radians(uniform(rng, 15, 50) * (1 if uniform(rng, 0, 1) < 0.5 else -1))
    start = (uniform(rng, 0, height), uniform(rng, 0, width))
    down, along = turned(height, width, start, slant, dot)
    row = torch.floor(down / tile.shape[0])
    along = torch.remainder(along + row * tile.shape[1] / 2, tile.shape[1])
    return inked(look_up(tile, down - row * tile.shape[0], along), dot)


def _name(rng: torch.Generator) -> str:
    """A short invented name, as of an agency."""
    word, kind = random_word(rng, 2), int(torch.randint(5, (), generator=rng))
    return (word.upper(), word.title(), f"{word}.com", f"\N{COPYRIGHT SIGN} {word.title()}", f"{word.upper()} 24")[kind]


def _sign(rng: torch.Generator) -> Tensor:
    """(ROWS, w), as a line of text: an outlined disc, square, diamond or hexagon around a full smaller one."""
    y = (torch.arange(ROWS) + 0.5 - (BASELINE - CAP / 2))[:, None].abs()
    x = (torch.arange(2 * (int(RADIUS) + SPREAD)) + 0.5 - (int(RADIUS) + SPREAD)).abs()
    shapes = (torch.hypot(x, y), torch.maximum(x, y) * 1.1, (x + y) * 0.75, torch.maximum(x, 0.5 * x + 0.87 * y))
    outer, inner = (shapes[int(i)] for i in torch.randint(len(shapes), (2,), generator=rng))
    distance = LINE - (outer - RADIUS).abs()
    return (torch.maximum(distance, uniform(rng, 0.3, 0.6) * RADIUS - inner) + SPREAD).clamp(0, 2 * SPREAD)
