"""Lines of text laid over the picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.lettering import (
    CAP,
    ROWS,
    inked,
    look_up,
    random_face,
    random_figures,
    random_word,
    turned,
    typeset,
)

WIDTH = 0.7  # of a letter with what is beside it, about, over the height of a capital


@dataclass(frozen=True, kw_only=True)
class Pen:
    """How the letters of one picture are drawn."""

    colour: Tensor  # (3, 1, 1)
    opacity: float
    bolder: float  # the outlines are moved outwards by that share of the height
    rim: float  # as much again of the other brightness, beneath the letters
    shift: tuple[float, float]  # of the rim (down, right), over the height; none around an outline, some of a shadow


@dataclass(frozen=True, kw_only=True)
class TextOverlay(Degradation):
    """Lines of random words over the picture: y = x * (1 - m) + c * m, m in [0, 1] the letters with a smooth edge.

    The lines stand under each other as one block, or are strewn, each at a size and a turn of its own. They have one
    colour, plain or with an outline or a shadow of the other brightness, and letters of DejaVu. What lay beneath has
    to be painted in.
    """

    label = "text_overlay"
    family = "damage"
    lines: tuple[float, float] = severity(1, 6, "lines of text", limits=(0, 100), whole=True)
    height: tuple[float, float] = severity(9, 28, "height of the capitals, pixels", limits=(7, 1000), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, lines: float, height: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same text on all pictures of a batch."""
        rows, columns = clean.shape[-2:]
        pen = _draw_pen(rng)
        letters, rim = torch.zeros(rows, columns), torch.zeros(rows, columns)
        pieces = _strewn if uniform(rng, 0, 1) < 0.4 else _block
        for field, place, turn, size in pieces(int(lines), height, (rows, columns), rng):
            dot = size / CAP
            value = _seen(field, (rows, columns), place, turn, dot)
            letters = torch.maximum(letters, inked(value, dot, grow=pen.bolder * size))
            if pen.rim:
                if any(pen.shift):
                    beside = place[0] + pen.shift[0] * size, place[1] + pen.shift[1] * size
                    value = _seen(field, (rows, columns), beside, turn, dot)
                rim = torch.maximum(rim, inked(value, dot, grow=(pen.bolder + pen.rim) * size))
        covered = pen.opacity * letters
        if pen.rim:
            rim = pen.opacity * rim
            clean = clean * (1 - rim) + float(pen.colour.mean() < 0.5) * rim
        return clean * (1 - covered) + pen.colour * covered


def _seen(field: Tensor, size: tuple[int, int], place: tuple[float, float], turn: float, dot: float) -> Tensor:
    """(H, W): the field of letters with its middle at `place` (y, x), pixels."""
    down, along = turned(*size, place, turn, dot)
    return look_up(field, down + field.shape[0] / 2, along + field.shape[1] / 2)


def _draw_pen(rng: torch.Generator) -> Pen:
    """White, black, the yellow of subtitles, or anything; half of the time with an outline or a shadow."""
    choices = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0.9, 0.1], torch.rand(3, generator=rng).tolist()])
    style, away = uniform(rng, 0, 1), uniform(rng, 0.05, 0.12)
    return Pen(
        colour=choices[int(torch.randint(4, (), generator=rng))][:, None, None],
        opacity=uniform(rng, 0.8, 1),
        bolder=uniform(rng, 0, 0.02),
        rim=uniform(rng, 0.04, 0.1) if style < 0.3 else 0.01 if style < 0.5 else 0.0,
        shift=(away, away) if 0.3 <= style < 0.5 else (0.0, 0.0),
    )


# Where each piece is: its letters, its middle (y, x), its turn in radians, the height of its capitals; pixels.
Pieces = Iterator[tuple[Tensor, tuple[float, float], float, float]]


def _block(lines: int, height: float, size: tuple[int, int], rng: torch.Generator) -> Pieces:
    """Lines under each other, level half of the time, flush left or centred."""
    face, leading = random_face(rng), round(uniform(rng, 1.5, 1.9) * CAP)
    centred, turn = uniform(rng, 0, 1) < 0.6, _turn(rng)
    place = uniform(rng, 0.1, 0.9) * size[0], uniform(rng, 0.35, 0.65) * size[1]
    texts = [typeset(random_text(size[1] / height * uniform(rng, 0.4, 0.9), rng), face) for _ in range(lines)]
    if texts:
        width = max(text.shape[1] for text in texts)
        field = torch.zeros(ROWS + leading * (lines - 1), width)
        for number, text in enumerate(texts):
            left = (width - text.shape[1]) // 2 if centred else 0
            room = field[number * leading :, left : left + text.shape[1]][:ROWS]
            torch.maximum(room, text, out=room)
        yield field, place, turn, height


def _strewn(lines: int, height: float, size: tuple[int, int], rng: torch.Generator) -> Pieces:
    """Lines anywhere, of several faces, sizes and turns."""
    for _ in range(lines):
        tall = height * uniform(rng, 0.6, 1)
        place = uniform(rng, 0, 1) * size[0], uniform(rng, 0.2, 0.8) * size[1]
        text = random_text(size[1] / tall * uniform(rng, 0.3, 0.9), rng)
        yield typeset(text, random_face(rng)), place, _turn(rng), tall


def _turn(rng: torch.Generator) -> float:
    """Radians; level half of the time."""
    return math.radians(uniform(rng, -35, 35)) if uniform(rng, 0, 1) < 0.5 else 0.0


def random_text(room: float, rng: torch.Generator) -> str:
    """Words, or a date, that fill about that many heights of a capital; at least one word.

    Small letters, capitals at the beginning of the line or of each word, or capitals throughout.
    """
    kind, length = int(torch.randint(8, (), generator=rng)), 0.0
    words: list[str] = []
    if kind == 0:
        day, month, hour, minute = (int(v) for v in torch.rand(4, generator=rng) * torch.tensor([31, 12, 24, 60]))
        return f"{day + 1:02}.{month + 1:02}.20{random_figures(rng, 2)}  {hour:02}:{minute:02}"
    while not words or length < room:
        syllables, other = 1 + int(torch.randint(3, (), generator=rng)), uniform(rng, 0, 1)
        words.append(random_figures(rng, syllables + 1) if other < 0.1 else random_word(rng, syllables))
        words[-1] += "," if 0.1 < other < 0.2 else ""
        length += WIDTH * (len(words[-1]) + 1)
    text = " ".join(words).rstrip(",")
    return (text, text.capitalize(), text.capitalize() + ".!?"[kind % 3], text.title(), text.upper())[kind % 5]
