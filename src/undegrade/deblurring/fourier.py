"""What blurs look like to the Fourier transform."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.floating[Any]]
Spectrum = NDArray[np.complexfloating[Any, Any]]


def transfer(kernel: Pixels, shape: tuple[int, int]) -> Spectrum:
    """(h, w), odd -> (H, W // 2 + 1): what the kernel, its middle at the origin, does to each wave of a picture."""
    spread = np.zeros(shape, np.float32)
    height, width = kernel.shape
    spread[:height, :width] = kernel
    return np.fft.rfft2(np.roll(spread, (-(height // 2), -(width // 2)), (0, 1)))


def slopes(plane: Pixels) -> tuple[Pixels, Pixels]:
    """(..., H, W) -> differences to the pixel on the right and to that below, the picture going round."""
    return np.roll(plane, -1, -1) - plane, np.roll(plane, -1, -2) - plane


def summed_slopes(right: Pixels, below: Pixels) -> Pixels:
    """The adjoint of `slopes`."""
    return np.roll(right, 1, -1) - right + np.roll(below, 1, -2) - below


def power_of_slopes(shape: tuple[int, int]) -> Pixels:
    """(H, W // 2 + 1): |D|^2 of `slopes`, 4 sin^2(pi f) of either."""
    rows, columns = frequencies(shape)
    power: Pixels = (4 * (np.sin(np.pi * rows) ** 2 + np.sin(np.pi * columns) ** 2)).astype(np.float32)
    return power


def frequencies(shape: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """(H, 1) and (1, W // 2 + 1), cycles a pixel."""
    return np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]


def wrapped(plane: Pixels, border: int) -> Pixels:
    """(..., H, W) -> (..., H + 2 border, W + 2 border): mirrored, and so mixed that opposite borders meet."""
    wide = np.pad(plane, [(0, 0)] * (plane.ndim - 2) + [(border, border)] * 2, "reflect")
    ramp = (0.5 + 0.5 * (np.arange(border, dtype=np.float32) + 0.5) / border).astype(np.float32)
    for axis in (-2, -1):
        share = np.ones(wide.shape[axis], np.float32)
        share[:border], share[-border:] = ramp, ramp[::-1]
        share = share[:, None] if axis == -2 else share
        wide = share * wide + (1 - share) * np.flip(wide, axis)
    return wide
