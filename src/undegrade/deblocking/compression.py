"""How JPEG has compressed a picture, found in its pixels: the grid of blocks, and the steps of rounding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from undegrade.deblocking.colours import halved, planes
from undegrade.deblocking.lattice import BLOCK, BRIGHTNESS, COLOUR, Lattice, find_lattice
from undegrade.deblocking.wiener import blocks
from undegrade.transform import Pixels

SMALLEST = 32  # pixels a side, in which a grid can be found
SEEN = 1024  # blocks by which it is sought
QUIET = 0.75  # levels: a coefficient that rounding has made nothing is smaller, wherever blocks begin
TRIED = 2  # likeliest places
LEAST_VALUES = 48  # of brightness: of enlarged pixel art, with fewer, everything lies on some multiples
FAINTEST = 0.05  # of the steps at libjpeg's quality 50: with smaller ones next to nothing is to be gained
UNEVEN = 3  # times larger or smaller are the steps of colour, in proportion, than those of brightness at most
# Colour halved along rows and columns: both ways (4:2:0), not at all (4:4:4), across (4:2:2).
HALVINGS = ((True, True), (False, False), (False, True))


@dataclass(frozen=True, kw_only=True, eq=False)
class Colour:
    """How the differences of colour were compressed, both by one table, as nearly all encoders do it.

    Args:
        corner: the first row and column, from 0, of the picture's pixels where a block of theirs begins.
        halves: whether they have half the rows, and half the columns.
        lattice: how they were rounded.
    """

    corner: tuple[int, int]
    halves: tuple[bool, bool]
    lattice: Lattice


@dataclass(frozen=True, kw_only=True, eq=False)
class Compression:
    """That of a whole picture.

    Args:
        corner: the first row and column, from 0, where a block begins.
        brightness: how it was rounded.
        colour: the same of Cb and Cr; None: not known.
    """

    corner: tuple[int, int]
    brightness: Lattice
    colour: Colour | None

    @property
    def quality(self) -> float:
        """That of libjpeg at which steps are as large as those of brightness: 100 - 50 s, or 50 / s from s = 1 on."""
        scale = self.brightness.scale
        return 50 / scale if scale > 1 else 100 - 50 * scale


def find_compression(parts: Sequence[Pixels]) -> Compression | None:
    """How JPEG has compressed a picture of which these are parts, (3, h, w) in [0, 1] each; None: not that it shows.

    All waves of all blocks have to lie on the multiples of some step. They do not where a picture was made smaller, or
    has got noise, since it was compressed; and where it hardly was, nothing is to be gained.

    Args:
        parts: that begin at multiples of 16 from the picture's corner.
    """
    if min(min(part.shape[1:]) for part in parts) < SMALLEST:
        return None
    levels = [planes(part) for part in parts]
    if _num_values([one[0] for one in levels]) < LEAST_VALUES:
        return None
    extreme = [np.max((part <= 0) | (part >= 1), 0) for part in parts]
    for top, left in _corners([one[0] for one in levels]):
        inside = [one[0, top:, left:] for one in levels]
        found = find_lattice(inside, [_whole(one[top:, left:], BLOCK, BLOCK) for one in extreme], BRIGHTNESS)
        if found is not None:
            if found.scale < FAINTEST:
                return None
            colour = _colour([one[1:] for one in levels], extreme, (top, left), found.scale)
            return Compression(corner=(top, left), brightness=found, colour=colour)
    return None


def _num_values(brightness: Sequence[Pixels]) -> int:
    """How many of the 256 values of brightness there are."""
    values = [np.clip(plane + 128, 0, 255).astype(np.intp).ravel() for plane in brightness]
    return int(np.count_nonzero(sum(np.bincount(value, minlength=256) for value in values)))


def _corners(brightness: Sequence[Pixels]) -> Iterator[tuple[int, int]]:
    """The likeliest of the 64 places where blocks begin: where the most of their waves are nothing."""
    side = BLOCK * round(np.sqrt(SEEN / len(brightness)))
    quiet = np.zeros((BLOCK, BLOCK))
    for plane in brightness:
        sides = [min(side, length - BLOCK) for length in plane.shape]
        middle = [(length - one) // 2 // BLOCK * BLOCK for length, one in zip(plane.shape, sides, strict=True)]
        for top, left in product(range(BLOCK), repeat=2):
            part = plane[middle[0] + top :, middle[1] + left :][: sides[0], : sides[1]]
            quiet[top, left] += float((np.abs(blocks(part, BLOCK)) < QUIET).mean())
    for place in np.argsort(-quiet.ravel())[:TRIED]:
        yield int(place) // BLOCK, int(place) % BLOCK


def _colour(
    parts: Sequence[Pixels], extreme: Sequence[NDArray[np.bool_]], corner: tuple[int, int], scale: float
) -> Colour | None:
    """How Cb and Cr, (2, h, w), were compressed: the halving and the place by which most steps are found."""
    best: Colour | None = None
    for halves in HALVINGS:
        small = [small_planes(part, corner, halves) for part in parts]
        for late in product(*((0, BLOCK) if half else (0,) for half in halves)):
            place = corner[0] + late[0], corner[1] + late[1]
            whole = [_inner(one[place[0] :, place[1] :], halves) for one in extreme for _ in range(2)]
            top, left = small_corner(place, halves)
            both = [plane[top:, left:] for part in small for plane in part]
            found = find_lattice(both, whole, COLOUR)
            if found is None or not 1 / UNEVEN < found.scale / scale < UNEVEN:
                continue
            if best is None or found.known > best.lattice.known:
                best = Colour(corner=place, halves=halves, lattice=found)
    return best


def _inner(extreme: NDArray[np.bool_], halves: tuple[bool, bool]) -> NDArray[np.bool_]:
    """Blocks of colour that count: what lies beside a part is not known, and is needed along its border."""
    down, across = (2 * BLOCK if half else BLOCK for half in halves)
    whole = _whole(extreme, down, across)
    whole[[0, -1]] = whole[:, [0, -1]] = False
    return whole


def small_planes(plane: Pixels, corner: tuple[int, int], halves: tuple[bool, bool]) -> Pixels:
    """(..., H, W) -> the values that lie on a halved grid, from the first whole one on."""
    for axis, (at, half) in enumerate(zip(corner, halves, strict=True), -2):
        if half:
            first, length = at % 2, plane.shape[axis]
            plane = halved(np.take(plane, range(first, first + (length - first) // 2 * 2), axis), axis)
    return plane


def small_corner(corner: tuple[int, int], halves: tuple[bool, bool]) -> tuple[int, int]:
    """Where the blocks begin in what `small_planes` gives."""
    top, left = (at // 2 if half else at for at, half in zip(corner, halves, strict=True))
    return top, left


def _whole(extreme: NDArray[np.bool_], down: int, across: int) -> NDArray[np.bool_]:
    """Blocks of so many pixels without black or white, where values are cut off."""
    height, width = extreme.shape[0] // down, extreme.shape[1] // across
    cut_off = extreme[: height * down, : width * across].reshape(height, down, width, across)
    whole: NDArray[np.bool_] = np.min(~cut_off, (1, 3))
    return whole
