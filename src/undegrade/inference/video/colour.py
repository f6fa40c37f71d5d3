"""YCbCr samples to RGB and back, in float32, so that what is not changed comes back to the last bit.

FFmpeg's own conversion to RGB is not used: on 8-bit samples it is half a level too dark, and frames that pass through
it twice are no longer what they were. A restored frame is the frame's own samples plus the change, in YCbCr.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
Planes = list[NDArray[Any]]  # of unsigned integers, (H, W); chroma may be smaller

# (Kr, Kb) of Y = Kr R + Kg G + Kb B, by ITU-T H.273's number of the matrix.
MATRICES = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
}


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What the samples of a frame stand for.

    Args:
        bits: of one sample, 8 to 16.
        across: 2 where chroma has half as many columns, else 1.
        down: 2 where chroma has half as many rows, else 1.
        full: black and white are 0 and 2**bits - 1; otherwise 16 and 235 (times 2**(bits - 8)).
        matrix: key of `MATRICES`.
        gray: there is no chroma.
    """

    bits: int
    across: int
    down: int
    full: bool
    matrix: int
    gray: bool = False

    @property
    def luma(self) -> tuple[float, float]:
        """Black's sample, and how many samples lie between black and white."""
        step = 1 << (self.bits - 8)
        return (0, (1 << self.bits) - 1) if self.full else (16 * step, 219 * step)

    @property
    def chroma(self) -> tuple[float, float]:
        """The sample of no colour, and how many samples one is."""
        step = 1 << (self.bits - 8)
        return 128 * step, (1 << self.bits) - 1 if self.full else 224 * step


def to_rgb(planes: Planes, samples: Samples) -> Pixels:
    """Y, Cb, Cr (or Y alone) -> (3, H, W) RGB, clipped to [0, 1].

    R = Y + 2 (1 - Kr) Cr, B = Y + 2 (1 - Kb) Cb, G = (Y - Kr R - Kb B) / Kg. Halved chroma is interpolated linearly;
    it lies on the left one of two columns and between two rows, as in MPEG-2 and later.
    """
    black, span = samples.luma
    luma = (planes[0].astype(np.float32) - np.float32(black)) / np.float32(span)
    if samples.gray:
        return np.repeat(luma.clip(0, 1)[None], 3, axis=0)
    middle, one = samples.chroma
    cb, cr = (
        _widened((p.astype(np.float32) - np.float32(middle)) / np.float32(one), luma.shape, samples)
        for p in planes[1:3]
    )
    kr, kb = (np.float32(k) for k in MATRICES[samples.matrix])
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    rgb = np.stack([red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue])
    return np.clip(rgb, 0, 1, out=rgb)


def changed(planes: Planes, samples: Samples, before: Pixels, after: Pixels) -> Planes:
    """The planes of a frame whose RGB went from `before` to `after`, both (3, H, W) in [0, 1].

    Where `after` is `before`, the samples stay as they are, those outside of RGB's range too.
    """
    kr, kb = (np.float32(k) for k in MATRICES[samples.matrix])
    red, green, blue = after - before
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    changes = [luma * np.float32(samples.luma[1])]
    if not samples.gray:
        one = np.float32(samples.chroma[1])
        for colour, weight in ((blue, kb), (red, kr)):
            changes.append(_narrowed((colour - luma) * (one / (2 * (1 - weight))), samples))
    highest = (1 << samples.bits) - 1
    return [
        np.rint(plane.astype(np.float32) + change).clip(0, highest).astype(plane.dtype)
        for plane, change in zip(planes, changes, strict=True)
    ]


def from_rgb(rgb: Pixels, samples: Samples) -> Planes:
    """(3, H, W) RGB in [0, 1] -> Y, Cb, Cr (or Y alone), uint8 or, above 8 bits, uint16."""
    height, width = rgb.shape[1:]
    dtype = np.uint8 if samples.bits == 8 else np.uint16
    small = -(-height // samples.down), -(-width // samples.across)
    planes: Planes = [np.full((height, width), samples.luma[0], dtype)]
    if not samples.gray:
        planes += [np.full(small, samples.chroma[0], dtype) for _ in range(2)]
    return changed(planes, samples, np.zeros_like(rgb), rgb)


def _widened(plane: Pixels, shape: Sequence[int], samples: Samples) -> Pixels:
    """A chroma plane at the size of luma."""
    if samples.across == 2:
        plane = _between(plane, np.arange(shape[1]) / 2, axis=1)
    if samples.down == 2:
        plane = _between(plane, (np.arange(shape[0]) - 0.5) / 2, axis=0)
    return plane


def _between(plane: Pixels, places: NDArray[np.float64], axis: int) -> Pixels:
    """The plane at these places along an axis, linearly; beyond its ends, the ends."""
    places = places.clip(0, plane.shape[axis] - 1)
    low = np.floor(places).astype(int)
    shape = (-1, 1) if axis == 0 else (1, -1)
    share = (places - low).astype(np.float32).reshape(shape)
    first = plane.take(low, axis)
    return first + share * (plane.take(np.minimum(low + 1, plane.shape[axis] - 1), axis) - first)


def _narrowed(plane: Pixels, samples: Samples) -> Pixels:
    """A plane at the size of chroma, by the weights with which `_widened` spread it."""
    if samples.across == 2:
        wide = np.pad(plane, ((0, 0), (1, 1 + plane.shape[1] % 2)), mode="edge")
        plane = (wide[:, 0:-2:2] + 2 * wide[:, 1:-1:2] + wide[:, 2::2]) * np.float32(0.25)
    if samples.down == 2:
        tall = np.pad(plane, ((0, plane.shape[0] % 2), (0, 0)), mode="edge")
        plane = (tall[0::2] + tall[1::2]) * np.float32(0.5)
    return plane
