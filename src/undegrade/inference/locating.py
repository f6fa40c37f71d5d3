"""Where in a picture something is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from undegrade.inference.backend import Pixels
from undegrade.inference.restorer import Restorer
from undegrade.inference.rows import Rows
from undegrade.inference.treatment import F

CELL = 96  # side in pixels of the cells of a map, at least
CELLS = 256  # of a map, at most about: larger pictures have larger cells
WINDOW = 256  # pixels: of a larger cell only so large a square in its middle is looked at
LIKELY = 0.5  # probability from which on a kind is in the legend
LOW, HIGH = 0.2, 0.8  # probabilities up to which a place is left alone, and from which on it is wholly repaired


@dataclass(frozen=True, kw_only=True, eq=False)
class Map:
    """Probabilities over a picture.

    Args:
        kinds: K of them.
        shares: (K, rows, columns), in [0, 1], of the middles of equal cells.
        height: of the picture, pixels.
        width: of the picture, pixels.
    """

    kinds: tuple[str, ...]
    shares: Pixels
    height: int
    width: int

    def of(self, kind: str, top: int = 0, height: int | None = None) -> Pixels:
        """The probability of a kind in some rows of the picture, (height, width): bilinear between the cells."""
        grid = self.shares[self.kinds.index(kind)]
        bottom = self.height if height is None else top + height
        down = _places(range(top, bottom), self.height, grid.shape[0])
        across = _places(range(self.width), self.width, grid.shape[1])
        return down @ grid @ across.T

    def weights(self, kinds: tuple[str, ...], top: int, height: int) -> Pixels:
        """How far these rows are to be repaired, (height, width) in [0, 1], with soft edges; the most of all kinds."""
        most = np.max([self.of(kind, top, height) for kind in kinds], axis=0)
        t = np.clip((most - LOW) / (HIGH - LOW), 0, 1)
        weights: Pixels = (t * t * (3 - 2 * t)).astype(np.float32)
        return weights


def _places(pixels: range, length: int, count: int) -> Pixels:
    """(pixels, count): what each cell's middle counts at each pixel along one side."""
    place = np.clip((np.asarray(pixels) + 0.5) / length * count - 0.5, 0, count - 1)
    weights: Pixels = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(count))).astype(np.float32)
    return weights


def locate(restorer: Restorer[F], rows: Rows) -> Map:
    """A map of a picture, each cell judged on its own by what the model learned from whole pictures.

    That is how instances are found where only bags of them had labels (multiple-instance learning): the network that
    names pictures is asked about parts.

    Args:
        restorer: whose model names something.
        rows: the picture; gone through once, from the top.
    """
    side = max(CELL, math.ceil(math.sqrt(rows.height * rows.width / CELLS)))
    down, across = (max(1, round(length / side)) for length in (rows.height, rows.width))
    columns = _windows(rows.width, across)
    rows.rewind()
    contexts = [
        restorer.see(rows.pixels(top, left, height, width))
        for top, height in _windows(rows.height, down)
        for left, width in columns
    ]
    kinds, shares = restorer.judge.shares(np.stack(contexts), restorer.backend.labels)
    return Map(kinds=kinds, shares=shares.T.reshape(-1, down, across), height=rows.height, width=rows.width)


def _windows(length: int, count: int) -> list[tuple[int, int]]:
    """Start and length of the window in the middle of each cell along one side."""
    edges = np.linspace(0, length, count + 1).round().astype(int)
    found = []
    for start, end in pairwise(edges.tolist()):
        size = min(WINDOW, end - start)
        found.append((start + (end - start - size) // 2, size))
    return found


def draw_map(pixels: Pixels, found: Map) -> Pixels:
    """The picture in gray and dimmed, with a colour wherever something is wrong: (3, H, W) in [0, 1].

    Each kind has a hue of its own, in the order of the kinds around the circle; the likeliest one colours a place, the
    more the surer it is.
    """
    gray = 0.2 + 0.5 * np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), pixels, 1)
    shares = np.stack([found.of(kind) for kind in found.kinds])
    hue = _hues(len(found.kinds))[shares.argmax(0)].transpose(2, 0, 1)
    share = 0.7 * shares.max(0)
    drawn: Pixels = ((1 - share) * gray + share * hue).astype(np.float32)
    return drawn


def legend(found: Map) -> dict[str, str]:
    """The colours, such as "#ff4040", of the kinds that are likely anywhere on a map."""
    hues = (255 * _hues(len(found.kinds))).round().astype(int)
    return {
        kind: "#" + "".join(f"{value:02x}" for value in hues[place])
        for place, kind in enumerate(found.kinds)
        if found.shares[place].max() >= LIKELY
    }


def _hues(count: int) -> Pixels:
    """(count, 3), colours evenly around the circle."""
    angles = 2 * np.pi * (np.arange(count)[:, None] / count + np.arange(3) / 3)
    hues: Pixels = (0.5 + 0.5 * np.cos(angles)).astype(np.float32)
    return hues
