"""Lines of text laid over the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.lettering import ROWS, dots, inked, look_up, random_word, turned

LEADING = 1.5  # distance of the lines over the height of the letters


@dataclass(frozen=True, kw_only=True)
class TextOverlay(Degradation):
    """Lines of random words over the picture: y = x * (1 - m) + c * m, m in [0, 1] the letters with a smooth edge.

    The lines stand under each other or are strewn; one colour, often with an outline of the other brightness. Letters
    are capitals and figures of a 5 x 7 dot matrix with the corners rounded. What lay beneath has to be painted in.
    """

    label = "text_overlay"
    family = "damage"
    lines: tuple[float, float] = severity(1, 6, "lines of text", limits=(0, 100), whole=True)
    height: tuple[float, float] = severity(9, 28, "height of the letters, pixels", limits=(7, 1000), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, lines: float, height: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same text on all pictures of a batch."""
        rows, columns = clean.shape[-2:]
        dot = height / ROWS
        colour, outlined, opacity = _colour(rng), uniform(rng, 0, 1) < 0.4, uniform(rng, 0.8, 1)
        level = uniform(rng, 0.28, 0.45)
        strewn = uniform(rng, 0, 1) < 0.4
        top, centre, turn = uniform(rng, 0.1, 0.9) * rows, uniform(rng, 0.3, 0.7) * columns, _turn(rng)
        value = torch.zeros(rows, columns)
        for line in range(int(lines)):
            bitmap = F.pad(dots(_text(columns / dot, rng)), (1, 1, 1, 1))
            below = (line - (lines - 1) / 2) * LEADING * height
            place = (top + below * math.cos(turn), centre - below * math.sin(turn))
            if strewn:
                place, turn = (uniform(rng, 0, 1) * rows, uniform(rng, 0.2, 0.8) * columns), _turn(rng)
            down, along = turned(rows, columns, place, turn, dot)
            value = torch.maximum(value, look_up(bitmap, down + bitmap.shape[0] / 2, along + bitmap.shape[1] / 2))
        out = clean.clone()
        if outlined:
            rim = opacity * inked(value, dot, level=0.08)
            out = out * (1 - rim) + float(colour.mean() < 0.5) * rim
        letters = opacity * inked(value, dot, level=level)
        return out * (1 - letters) + colour * letters


def _colour(rng: torch.Generator) -> Tensor:
    """(3, 1, 1): white, black, the yellow of subtitles, or anything."""
    choices = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0.9, 0.1], torch.rand(3, generator=rng).tolist()])
    return choices[int(torch.randint(4, (), generator=rng))][:, None, None]


def _turn(rng: torch.Generator) -> float:
    """Radians; level half of the time."""
    return math.radians(uniform(rng, -35, 35)) if uniform(rng, 0, 1) < 0.5 else 0.0


def _text(room: float, rng: torch.Generator) -> str:
    """Words that fill up to that many dots, and at least one."""
    text = random_word(rng)
    room *= uniform(rng, 0.5, 1)
    while 6 * (len(text) + 1) < room:
        text += " " + random_word(rng)
    return text
