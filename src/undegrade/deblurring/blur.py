"""A blur that is known, and how it is undone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from undegrade.deblurring.fourier import Pixels, Spectrum, power_of_slopes, slopes, summed_slopes, transfer, wrapped
from undegrade.images.colour import to_display, to_linear

BORDER = 32  # pixels that a picture is made larger by, mirrored
FILLED = 4  # rounds in which only what lies beyond the border is found
ROUNDS = 5  # and those after them, of all
FIRST, FACTOR = 1.5, 4.0  # how firmly the wanted slopes are held in the first round, and how much more in each
EVEN = np.float32(0.01)  # what even slopes are worth before there are wanted ones
POWER = 0.8  # of slopes in photographs: most are small, and few are large
SMALLEST = 1e-4  # slope


@dataclass(frozen=True, kw_only=True, eq=False)
class Blur:
    """One for a whole picture.

    Args:
        kernel: (h, w), odd, sums to one: where the light of a point went.
        caution: how much smoothness is worth against fitting the blurred picture; more where there is noise.
    """

    kernel: NDArray[np.float32]
    caution: float


def deconvolve(picture: NDArray[np.float32], blur: Blur) -> NDArray[np.float32]:
    """The picture (3, H, W) in [0, 1] before it was blurred; same shape and range.

    min over x of ||k * x - y||^2 + 2 caution sum |slopes of x|^0.8, in linear light, by half-quadratic splitting: "Fast
    Image Deconvolution using Hyper-Laplacian Priors", NeurIPS 2009; the step in each slope is one of generalised
    shrinkage. What lies beyond the border is not known, and so filled by what the sharp picture says of it.

    Raises:
        ValueError: the picture is smaller than the kernel.
    """
    if min(picture.shape[1:]) < max(2, *blur.kernel.shape):
        raise ValueError(f"picture is {picture.shape}; it must not be smaller than the kernel, {blur.kernel.shape}")
    light = to_linear(picture).astype(np.float32)
    # NumPy leaves the other cores to other threads.
    with ThreadPoolExecutor(min(len(light), os.cpu_count() or 1)) as pool:
        planes = list(pool.map(partial(_undone, blur), light))
    return np.clip(to_display(np.clip(np.stack(planes), 0, 1)), 0, 1)


def _undone(blur: Blur, plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """A plane (H, W) of linear light before it was blurred."""
    border = min(BORDER, min(plane.shape) - 1)
    y: Pixels = wrapped(plane, border)
    within = np.zeros(y.shape, bool)
    within[border:-border, border:-border] = True
    power, seen = power_of_slopes(y.shape), transfer(blur.kernel, y.shape).astype(np.complex64)
    kept = np.abs(seen) ** 2
    x = np.conj(seen) * np.fft.rfft2(y) / (kept + EVEN * power)
    for _ in range(FILLED):
        y = _filled(y, x, seen, within)
        x = np.conj(seen) * np.fft.rfft2(y) / (kept + EVEN * power)
    firmness = FIRST
    for _ in range(ROUNDS):
        wanted = summed_slopes(*(_shrunk(slope, firmness) for slope in slopes(np.fft.irfft2(x, s=y.shape))))
        y = _filled(y, x, seen, within)
        weight = np.float32(blur.caution * firmness)
        x = (np.conj(seen) * np.fft.rfft2(y) + weight * np.fft.rfft2(wanted)) / (kept + weight * power)
        firmness *= FACTOR
    return np.fft.irfft2(x, s=y.shape)[border:-border, border:-border].astype(np.float32)


def _filled(y: Pixels, x: Spectrum, seen: Spectrum, within: NDArray[np.bool_]) -> Pixels:
    """Beyond the picture, where nothing was seen, what the sharp picture would look like through the blur."""
    return np.where(within, y, np.fft.irfft2(seen * x, s=within.shape))


def _shrunk(slope: Pixels, firmness: float) -> Pixels:
    """sign(s) max(|s| - 0.8 |s|^-0.2 / firmness, 0)."""
    size = np.abs(slope)
    less = np.maximum(size, SMALLEST) ** np.float32(POWER - 1) * np.float32(POWER / firmness)
    shrunk: Pixels = np.sign(slope) * np.maximum(size - less, 0)
    return shrunk
