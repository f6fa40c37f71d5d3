"""What is likely to have been in a picture before JPEG rounded it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undegrade.deblocking.colours import doubled, pixels, planes
from undegrade.deblocking.compression import Colour, Compression, small_corner, small_planes
from undegrade.deblocking.flat import surface
from undegrade.deblocking.lattice import BLOCK, Lattice
from undegrade.deblocking.wiener import blocks, filtered, plane_of
from undegrade.transform import Pixels

AROUND = 16  # pixels, at least, by which a plane is continued
# Squares, from one to the next in brightness and in colour, pixels, and how much waves have to stand out in them.
SMALL, SMALL_STEPS, SMALL_DEMAND = 8, (2, 4), 2.0
LARGE, LARGE_STEP, LARGE_DEMAND = 16, 4, 1.4
SHARE = 0.25  # of the small squares in the result
NOTHING, LEFT = 0.22, 0.37  # steps: so far may a value be from zero, and from another multiple


@dataclass(frozen=True)
class Line:
    """A number that depends on how strong the compression is, by the logarithm of its scale: 0 is quality 50.

    Args:
        start: at 0.
        slope: by it.
        least: of the number.
        most: of the number.
    """

    start: float
    slope: float
    least: float = 0.0
    most: float = math.inf

    def at(self, strength: float) -> np.float32:
        """The number."""
        return np.float32(min(self.most, max(self.least, self.start + self.slope * strength)))


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How far the changes of a network, the pilot, and those of the filter go.

    Args:
        log_louder: the pilot's change in the filter, logarithm.
        filtered: the filter's in the result.
        beside: the pilot's, beside it.
        filtered_colour: the filter's change of colour.
        beside_colour: the pilot's.
    """

    log_louder: Line
    filtered: Line
    beside: Line
    filtered_colour: float
    beside_colour: Line


# Of the shipped network, and of that which a second one has gone over: by least squares over 42 crops of photographs
# that they were trained on, at eight qualities each, put into straight lines (`benchmarks/deblocking_fit.py`).
FIRST = Shares(
    log_louder=Line(0.14, 0.55, least=-math.inf),
    filtered=Line(0.5, -0.27, least=0.47, most=1.0),
    beside=Line(0.55, 0.43),
    filtered_colour=0.35,
    beside_colour=Line(1.12, 0.43, least=0.4),
)
FINISHED = Shares(
    log_louder=Line(0.03, 0.5, least=-math.inf),
    filtered=Line(0.28, -0.32, least=0.28, most=1.0),
    beside=Line(0.78, 0.45, most=1.02),
    filtered_colour=0.0,
    beside_colour=Line(1.13, 0.36, least=0.35),
)
STRENGTHS = 0.1, 2.5  # scales between which this was found
EVEN = Line(0.0, 1.1, most=1.0)  # share of the surface in flat blocks: weaker compression has hardly any steps


def deblock(picture: Pixels, pilot: Pixels, compression: Compression, *, finished: bool = False) -> Pixels:
    """A compressed picture (3, H, W) in [0, 1] as it may have been before; same shape, not clipped.

    To the changes that Wiener's filter makes, those of the pilot are added, as there is more in them than the filter
    takes from them. How far both go was found on photographs: the shipped network changes too little where compression
    was strong, and too much where it was not. Brightness then stays near to what rounds to the values in the file.
    Where strong compression has left nothing of a block but its mean, a surface through the means takes its place.

    Args:
        picture: the compressed one.
        pilot: what a network makes of it, in [0, 1].
        compression: of the picture that it is a part of, which begins at a multiple of 16 pixels of that.
        finished: whether a second network has gone over the pilot.
    """
    shares = FINISHED if finished else FIRST
    was = planes(picture)
    changes = planes(pilot) - was
    strength = float(np.log(np.clip(compression.brightness.scale, *STRENGTHS)))
    changes[0] = _brightness(was[0], changes[0], compression, shares, strength)
    for number in (1, 2):
        filtered_change: Pixels | float = 0.0
        if compression.colour is not None and shares.filtered_colour:
            filtered_change = shares.filtered_colour * _colour(was[number], changes[number], compression.colour)
        changes[number] = shares.beside_colour.at(strength) * changes[number] + filtered_change
    return picture + pixels(changes)


def _brightness(plane: Pixels, change: Pixels, compression: Compression, shares: Shares, strength: float) -> Pixels:
    """What is added to it, by what the pilot adds."""
    frame = Frame(plane.shape, compression.corner)
    lattice, plane, change = compression.brightness, frame.around(plane), frame.around(change)
    rounded = blocks(plane, BLOCK)
    pilot = plane + np.exp(shares.log_louder.at(strength)) * change
    made = _filtered(plane, pilot, rounded, lattice, SMALL_STEPS[0])
    made = shares.filtered.at(strength) * made + shares.beside.at(strength) * change
    is_left = _is_left(rounded, lattice)
    limits = lattice.steps[:, None] * np.where(is_left, np.float32(LEFT), np.float32(NOTHING))
    made = plane_of(np.clip(blocks(made, BLOCK), -limits, limits))
    if share := EVEN.at(strength):
        made += share * _evened(plane, made, rounded, is_left, lattice)
    return frame.inside(made)


def _evened(plane: Pixels, made: Pixels, rounded: Pixels, is_left: NDArray[np.bool_], lattice: Lattice) -> Pixels:
    """What is added to what was made for a plane, so that its flat blocks are a surface."""
    waves = is_left.copy()
    waves[:, 0, :, 0] = False  # the mean
    flat = np.logical_not(waves.any((1, 3)))
    even, known = surface(rounded[:, 0, :, 0] / np.float32(BLOCK), flat, float(lattice.steps[0, 0]) / BLOCK)
    change: Pixels = known * (even - plane - made)
    return change


def _colour(plane: Pixels, change: Pixels, colour: Colour) -> Pixels:
    """What the filter adds to it, by what the pilot adds."""
    small, pilot = (small_planes(one, colour.corner, colour.halves) for one in (plane, plane + change))
    frame = Frame(small.shape, small_corner(colour.corner, colour.halves))
    small = frame.around(small)
    rounded = blocks(small, BLOCK)
    made = frame.inside(_filtered(small, frame.around(pilot), rounded, colour.lattice, SMALL_STEPS[1]))
    around = []
    for axis, (at, half) in enumerate(zip(colour.corner, colour.halves, strict=True)):
        made = doubled(made, axis) if half else made
        before = at % 2 if half else 0
        around.append((before, plane.shape[axis] - before - made.shape[axis]))
    return np.pad(made, around, "edge")


def _filtered(plane: Pixels, pilot: Pixels, rounded: Pixels, lattice: Lattice, step: int) -> Pixels:
    """What Wiener's filter adds to a plane whose blocks begin in the corner, and have these coefficients."""
    nothing, left = lattice.errors[:, :, None]
    errors = np.where(_is_left(rounded, lattice), left, nothing).reshape(plane.shape)
    small = filtered(plane, pilot, errors, SMALL_DEMAND, size=SMALL, step=step)
    pilot = (small + pilot) / np.float32(2)
    large = filtered(plane, pilot, errors, LARGE_DEMAND, size=LARGE, step=LARGE_STEP)
    made: Pixels = np.float32(SHARE) * small + np.float32(1 - SHARE) * large - plane
    return made


def _is_left(rounded: Pixels, lattice: Lattice) -> NDArray[np.bool_]:
    """The coefficients (h, 8, w, 8) that were not rounded to nothing."""
    is_left: NDArray[np.bool_] = np.abs(rounded) > lattice.steps[:, None] / 2
    return is_left


class Frame:
    """Continues planes (H, W), so that blocks begin in the corner and squares lie over each pixel at each shift."""

    def __init__(self, shape: tuple[int, ...], corner: tuple[int, int]) -> None:
        before = [AROUND + -at % BLOCK for at in corner]
        after = [AROUND + BLOCK + -(first + length) % BLOCK for first, length in zip(before, shape, strict=True)]
        self._sides = tuple(zip(before, after, strict=True))
        self._place = tuple(slice(first, first + length) for first, length in zip(before, shape, strict=True))

    def around(self, plane: Pixels) -> Pixels:
        """The plane, mirrored at its borders."""
        return np.pad(plane, self._sides, "symmetric")

    def inside(self, plane: Pixels) -> Pixels:
        """What of it was there before."""
        return plane[self._place]
