"""Letters of several faces, laid over a picture at any size and turn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

CAP = 18  # samples, the height of a capital
SPREAD = 4  # samples, the farthest distance from an outline that is told from others
ROWS, BASELINE = 33, 23  # of a line of text, with descenders and `SPREAD` above and below; the foot of the capitals
FACES = ("sans", "bold", "serif", "italic", "mono")
FIGURES = "0123456789"
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" + FIGURES + " .,:;!?-'&@/()#%+*\N{COPYRIGHT SIGN}"

ONSETS = (*"bcdfghlmnprstvw", "br", "ch", "cl", "dr", "gr", "pl", "sh", "st", "th", "tr")
VOWELS = (*"aeiouaeo", "ai", "ea", "ou")
ENDINGS = ("", "", "", *"nrstl", "nd", "st", "ng")


@dataclass(frozen=True, kw_only=True)
class Face:
    """The letters of a face, made by benchmarks/make_lettering.py of DejaVu (licence in lettering.LICENSE)."""

    field: Tensor  # (ROWS, all widths): 0 at `SPREAD` samples and more outside a letter, `SPREAD` on its outline
    starts: dict[str, int]  # where the cell of each character begins in the field
    widths: dict[str, int]  # of the cell, which is wider than the advance by the same on both sides
    advances: dict[str, float]  # samples from one letter to the next


@cache
def load_face(name: str) -> Face:
    """The face of that name, one of `FACES`."""
    with files(__package__).joinpath("lettering.npz").open("rb") as file, np.load(file) as stored:
        field, widths, advances = (stored[f"{name}{part}"] for part in ("", "_widths", "_advances"))
    starts = (widths.cumsum() - widths).tolist()
    return Face(
        field=torch.from_numpy(field).float() * (2 * SPREAD / 255),
        starts=dict(zip(CHARACTERS, starts, strict=True)),
        widths=dict(zip(CHARACTERS, widths.tolist(), strict=True)),
        advances=dict(zip(CHARACTERS, advances.tolist(), strict=True)),
    )


def typeset(text: str, face: str) -> Tensor:
    """(ROWS, w) of a line of text: how far each sample lies inside a letter, plus `SPREAD`; 0 where it is empty."""
    letters = load_face(face)
    sources, targets, place = [], [], float(SPREAD)
    for letter in text:
        width, advance = letters.widths[letter], letters.advances[letter]
        first = max(0, round(place + (advance - width) / 2))
        sources.append(torch.arange(letters.starts[letter], letters.starts[letter] + width))
        targets.append(torch.arange(first, first + width))
        place += advance
    source, target = torch.cat(sources), torch.cat(targets)
    line = torch.zeros(ROWS, int(target.max()) + 1)
    # Cells overlap; the nearer outline counts.
    return line.scatter_reduce_(1, target.expand(ROWS, -1), letters.field[:, source], "amax")


def random_face(rng: torch.Generator) -> str:
    """One of `FACES`."""
    return FACES[int(torch.randint(len(FACES), (), generator=rng))]


def random_word(rng: torch.Generator, syllables: int) -> str:
    """A word that could be one, of that many syllables, in small letters."""
    chosen = torch.rand(syllables, 2, generator=rng).tolist()
    ending = ENDINGS[int(torch.randint(len(ENDINGS), (), generator=rng))]
    return "".join(ONSETS[int(a * len(ONSETS))] + VOWELS[int(b * len(VOWELS))] for a, b in chosen) + ending


def random_figures(rng: torch.Generator, length: int) -> str:
    """That many figures."""
    return "".join(FIGURES[i] for i in torch.randint(10, (length,), generator=rng).tolist())


def turned(height: int, width: int, centre: tuple[float, float], turn: float, dot: float) -> tuple[Tensor, Tensor]:
    """Coordinates (down, along), in samples from `centre` (y, x), of each pixel in a frame turned by `turn` radians.

    `dot` is the size of a sample in pixels.
    """
    y = (torch.arange(height) + 0.5 - centre[0])[:, None] / dot
    x = (torch.arange(width) + 0.5 - centre[1])[None, :] / dot
    sin, cos = math.sin(turn), math.cos(turn)
    return y * cos - x * sin, x * cos + y * sin


def look_up(field: Tensor, down: Tensor, along: Tensor) -> Tensor:
    """(H, W): `field` (rows, columns) at places in samples from its upper left corner; 0 beyond its sides."""
    rows, columns = field.shape
    grid = torch.stack((along * (2 / columns) - 1, down * (2 / rows) - 1), -1)
    return F.grid_sample(field[None, None], grid[None], align_corners=False)[0, 0]


def inked(value: Tensor, dot: float, *, grow: float = 0.0) -> Tensor:
    """Coverage in [0, 1] of letters whose outlines are moved outwards by `grow` pixels; the edge is a pixel wide.

    `value` is what `look_up` gave, `dot` the size of its samples in pixels. Empty stays empty: letters grow by less
    than `SPREAD` samples.
    """
    return ((value - SPREAD) * dot + min(grow + 0.5, SPREAD * dot)).clamp(0, 1)
