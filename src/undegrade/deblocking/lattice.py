"""The steps in which JPEG rounded a picture's waves, found in the waves themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from undegrade.transform import Pixels, squares

BLOCK = 8  # pixels a side
FINE = 4  # bins a level, of how large coefficients are
LARGEST = 1100  # levels: no coefficient of a block is larger
LARGEST_STEP = 255
OFTEN, COMMON = 20, 0.02  # coefficients, and share of blocks: a wave that is there so often tells if there are steps
FEW = 5  # coefficients that tell a step where others have shown that there are some
CLEARLY = 0.35  # of 1: by how much more of them are multiples than by chance
SURE = 0.6  # share of the waves that are there often: so many have to have a step
WAVES = 3  # and at least
UNLIKE = 4  # times larger or smaller than steps usually are: then it is not one
SMALL = 4  # levels: a step that may be too small to be found

# The tables of ITU-T T.81, annex K, in proportion to which most encoders' are.
LUMA = """
    16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
    18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99
"""
CHROMA = "17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66" + 38 * " 99"


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What is known of a plane before it is seen.

    Args:
        table: typical steps, in some proportion.
        spread: how far decoders and colours leave coefficients from multiples, standard deviation in levels.
        least: levels; what is smaller may be nothing, spread.
    """

    table: tuple[int, ...]
    spread: float
    least: float


BRIGHTNESS = Prior(table=tuple(map(int, LUMA.split())), spread=0.35, least=1.5)
COLOUR = Prior(table=tuple(map(int, CHROMA.split())), spread=0.7, least=2.5)
WHOLE = np.float32(0.3)  # levels^2: what rounding to whole levels adds to the error
MEAN_SPREAD = 1.5  # levels: of means, as all of an even block is rounded alike


@dataclass(frozen=True, kw_only=True, eq=False)
class Lattice:
    """How a plane was rounded: coefficient (u, v) of each block to a multiple of steps[u, v].

    Args:
        steps: (8, 8), the quantisation table, levels; a guess where next to nothing is left of a wave.
        kept: (8, 8), the share of blocks in which the wave is not nothing, in (0, 1].
        scale: of the steps, in proportion to those of libjpeg's quality 50: 0.2 is quality 90, 2.5 is 20.
        known: of how many waves the step is no guess.
    """

    steps: Pixels
    kept: Pixels
    scale: float
    known: int

    @cached_property
    def errors(self) -> Pixels:
        """(2, 8, 8): variances of what was rounded to nothing, and of what was not; levels^2.

        s^2 / 12 where values are spread evenly about a multiple, and on photographs a tenth more. About zero they are
        the nearer to it, the rarer the wave is: on photographs about 0.8 s^2 / 12 times the share to the power 0.3.
        """
        even = np.square(self.steps) / np.float32(12)
        return np.stack([even * 0.8 * self.kept**0.3, even * 1.1]).astype(np.float32) + WHOLE


def find_lattice(planes: Sequence[Pixels], whole: Sequence[NDArray[np.bool_]], prior: Prior) -> Lattice | None:
    """The steps of planes (H, W) whose blocks begin in the corner; None: their coefficients are no multiples.

    Of all steps up to 255 it is the one on whose multiples most of a wave's coefficients lie, compared with chance:
    (hits - chance) / (1 - chance), so that a part of the true step counts less than it, as its multiples lie closer.

    Args:
        planes: parts of one, levels about 0.
        whole: (H // 8, W // 8) each: the blocks that count.
        prior: of the plane.
    """
    counts = np.zeros((BLOCK * BLOCK, LARGEST * FINE))
    for plane, one in zip(planes, whole, strict=True):
        counts += _counts(plane, one)
    total, there = counts[0].sum(), counts[:, int(prior.least * FINE) :].sum(1)
    excess = np.concatenate(
        [_excess(counts[:1], MEAN_SPREAD, prior.least), _excess(counts[1:], prior.spread, prior.least)]
    )
    clear, often = excess.max(1) > CLEARLY, there >= max(OFTEN, COMMON * total)
    if often.sum() < WAVES or clear[often].mean() < SURE:
        return None
    found, sure = 1.0 + excess.argmax(1), clear & (there >= FEW)
    table = np.array(prior.table)
    scale = np.median(found[sure] / table[sure])
    sure &= np.abs(np.log(found / table / scale)) < np.log(UNLIKE)
    if sure.sum() < WAVES:
        return None
    guess = np.clip(np.round(scale * table), 1, LARGEST_STEP)
    steps = np.where(sure, found, np.where(often & (guess < SMALL), 1, guess))
    limits = np.maximum(np.ceil(steps / 2 * FINE), FINE / 2).astype(int)
    kept = np.array([one[limit:].sum() for one, limit in zip(counts, limits, strict=True)]) / total
    steps, kept = (one.reshape(BLOCK, BLOCK).astype(np.float32) for one in (steps, np.maximum(kept, 0.5 / total)))
    return Lattice(steps=steps, kept=kept, scale=float(scale), known=int(sure.sum()))


def _counts(plane: Pixels, whole: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(64, bins): how often the coefficient of each wave is how large."""
    found = squares(plane[None], BLOCK)[0].transpose(0, 2, 1, 3)[whole].reshape(-1, BLOCK * BLOCK)
    bins = np.minimum(np.abs(found) * FINE, LARGEST * FINE - 1).astype(np.intp) + np.arange(64) * LARGEST * FINE
    return np.bincount(bins.ravel(), minlength=64 * LARGEST * FINE).reshape(64, -1)


def _excess(counts: NDArray[np.float64], spread: float, least: float) -> NDArray[np.float64]:
    """(waves, 255): by how much more lies on the multiples of each step than by chance; 1: all of it."""
    there = counts[:, int(least * FINE) :]
    hits = there @ _multiples(spread, least).T / np.maximum(there.sum(1), 1)[:, None]
    chance = np.minimum(spread * np.sqrt(2 * np.pi) / np.arange(1, LARGEST_STEP + 1), 0.99)
    return (hits - chance) / (1 - chance)


@cache
def _multiples(spread: float, least: float) -> Pixels:
    """(255, bins from the least on): how near each size is to a multiple of each step; 1: on it."""
    sizes = (np.arange(int(least * FINE), LARGEST * FINE, dtype=np.float32) + np.float32(0.5)) / np.float32(FINE)
    steps = np.arange(1, LARGEST_STEP + 1, dtype=np.float32)[:, None]
    made: Pixels = np.exp(-np.square((sizes - steps * np.round(sizes / steps)) / np.float32(spread)) / 2)
    return made
