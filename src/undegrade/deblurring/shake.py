"""How the camera moved while the shutter was open, from the edges that are smeared in a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from undegrade.deblurring.fourier import (
    Pixels,
    Spectrum,
    frequencies,
    power_of_slopes,
    slopes,
    summed_slopes,
    transfer,
    wrapped,
)

SHRINK = 1.4  # from one scale to the next
COARSEST = 5  # side of the kernel, pixels, on the coarsest scale
SIDE, LARGE = 17, 25  # pixels; longer paths are rarely found
SLIGHT = 0.01  # of the light, in a row or a column
ROUNDS = 10  # on each scale
WEIGHT = 1e-2  # that a slope has to be worth, at first
FIRST, FACTOR, LAST = 2.0, 4.0, 1e2  # how firmly slopes are held: from twice the weight on, so much more each time
FADING, LIGHTEST = 0.9, 1e-4  # what is left of the weight after each round, and at last
STRONG = 1.0  # of the strongest slopes, so many a root of the picture's pixels and a pixel of the kernel's side
EASIER = 1.1  # by which fainter slopes are let in, after each round
FAINT = 0.15  # share of a kernel's largest number, below which one is nothing
CRUMB = 0.1  # share of a kernel's light, below which a part that hangs together is nothing
EVEN = 2.0  # how much a kernel's evenness is worth against fitting the picture
DIRECTIONS = 4


def find_path(planes: Pixels) -> NDArray[np.float32] | None:
    """A kernel (k, k), odd, sums to one, by which (N, H, W) planes of linear light were all blurred; None: no edges.

    It is looked for as a path of `SIDE` pixels, and once more as one of `LARGE` where it turns out to fill that.
    """
    kernel = _found(planes, SIDE)
    if _extent(kernel) >= SIDE - 1:
        kernel = _found(planes, LARGE)
    return kernel.astype(np.float32) if kernel.any() else None


def _extent(kernel: Pixels) -> int:
    """Pixels from one end to the other, of rows or of columns, whichever are more."""
    ends = [np.flatnonzero(kernel.sum(axis) > SLIGHT) for axis in (0, 1)]
    return max((int(np.ptp(places)) + 1 for places in ends if len(places)), default=0)


def _found(planes: Pixels, side: int) -> Pixels:
    """A kernel (side, side).

    Pictures and kernel are found by turns, from coarse to fine: the pictures with few slopes, by minimising
    ||k * x - y||^2 + w ||slopes of x||_0 ("Unnatural L0 Sparse Representation for Natural Image Deblurring", CVPR
    2013), and the kernel from their strongest slopes alone ("Fast Motion Deblurring", SIGGRAPH Asia 2009).
    """
    count = int(math.log(side / COARSEST) / math.log(SHRINK)) + 1
    whole = wrapped(planes, side)
    weight, kernel = WEIGHT, None
    for scale in reversed(range(count)):
        small = _smaller(whole, SHRINK**-scale)
        width = max(3, round(side * SHRINK**-scale) | 1)
        if kernel is None:
            kernel = np.zeros((width, width), np.float32)
            kernel[width // 2, width // 2 - 1 : width // 2 + 1] = 0.5
        else:
            kernel = _centred(_resized(kernel, width))
        kernel, weight = _refine(small, kernel, weight)
    assert kernel is not None  # as there is at least one scale
    return kernel


def _refine(y: Pixels, kernel: Pixels, weight: float) -> tuple[Pixels, float]:
    """Pictures and kernel by turns on one scale; the kernel, and what is left of the weight."""
    shape = y.shape[-2:]
    seen, power = np.fft.rfft2(y), power_of_slopes(shape)
    edges = [np.fft.rfft2(slope) for slope in slopes(y)]
    threshold = None
    for _ in range(ROUNDS):
        x = np.clip(_flattened(y, seen, transfer(kernel, shape), power, weight), 0, 1)
        chosen, threshold = _strongest(x, len(kernel), threshold)
        kernel = _fitted(chosen, edges, len(kernel), shape)
        threshold, weight = threshold / EASIER, max(weight * FADING, LIGHTEST)
    return kernel, weight


def _flattened(y: Pixels, seen: Spectrum, blur: Spectrum, power: Pixels, weight: float) -> Pixels:
    """The pictures with few slopes."""
    made, kept, x, firmness = np.conj(blur) * seen, np.abs(blur) ** 2, y, FIRST * weight
    while firmness < LAST:
        right, below = slopes(x)
        kept_slopes = right**2 + below**2 >= weight / firmness
        wanted = summed_slopes(right * kept_slopes, below * kept_slopes)
        x = np.fft.irfft2((made + firmness * np.fft.rfft2(wanted)) / (kept + firmness * power), s=y.shape[-2:])
        firmness *= FACTOR
    return x


def _strongest(x: Pixels, side: int, threshold: float | None) -> tuple[tuple[Pixels, Pixels], float]:
    """The slopes above the threshold, away from the border; without one: that which leaves enough in each direction."""
    right, below = slopes(x)
    size = np.hypot(right, below)
    inside = np.zeros(size.shape, bool)
    inside[..., side:-side, side:-side] = True
    size = size * inside
    if threshold is None:
        direction = (np.arctan2(below, right) % math.pi / (math.pi / DIRECTIONS)).astype(int)
        enough = int(STRONG * math.sqrt(x.size) * side / DIRECTIONS)
        each = [size[(direction == turn) & (size > 0)] for turn in range(DIRECTIONS)]
        threshold = min((_of_largest(one, enough) for one in each if len(one)), default=math.inf)
    strong = inside & (size >= threshold)
    return (right * strong, below * strong), threshold


def _of_largest(values: Pixels, number: int) -> float:
    """The smallest of so many largest ones."""
    number = min(number, len(values))
    return float(np.partition(values, -number)[-number])


def _fitted(chosen: tuple[Pixels, Pixels], edges: Sequence[Spectrum], side: int, shape: tuple[int, int]) -> Pixels:
    """The kernel that makes the blurred edges out of the chosen ones, min over k of sum ||k * s - b||^2 + e ||k||^2."""
    spectra = [np.fft.rfft2(slope) for slope in chosen]
    pairs = zip(spectra, edges, strict=True)
    made = np.sum([(np.conj(sharp) * edge).sum(0) for sharp, edge in pairs], axis=0)
    power = np.sum([(np.abs(sharp) ** 2).sum(0) for sharp in spectra], axis=0)
    wide = np.fft.irfft2(made / (power + EVEN), s=shape)
    kernel = np.maximum(np.roll(wide, (side // 2, side // 2), (0, 1))[:side, :side], 0)
    kernel = np.where(kernel >= FAINT * kernel.max(), kernel, 0)
    return _centred(_without_crumbs(kernel))


def _without_crumbs(kernel: Pixels) -> Pixels:
    """Without connected parts of little light."""
    left, kept = kernel > 0, np.zeros(kernel.shape, bool)
    while left.any():
        part = np.zeros(kernel.shape, bool)
        part[np.unravel_index(int(np.argmax(np.where(left, kernel, -1))), kernel.shape)] = True
        while (grown := _grown(part) & left).sum() > part.sum():
            part = grown
        if kernel[part].sum() >= CRUMB * kernel.sum():
            kept |= part
        left &= ~part
    return np.where(kept, kernel, 0)


def _grown(part: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With all eight neighbours."""
    wide = np.pad(part, 1)
    tall = wide[:-2] | wide[1:-1] | wide[2:]
    return tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]


def _centred(kernel: Pixels) -> Pixels:
    """Moved so that its centre of gravity lies in the middle; sums to one."""
    side = len(kernel)
    places = np.arange(side, dtype=np.float32)
    for axis in (0, 1):
        line = kernel.sum(1 - axis)
        away = float((line * places).sum() / max(line.sum(), 1e-12)) - side // 2
        kernel = _sampled(kernel, places + np.float32(away), axis)
    return kernel / max(float(kernel.sum()), 1e-12)


def _resized(kernel: Pixels, side: int) -> Pixels:
    """Enlarged around its middle; sums to one."""
    places = (np.arange(side, dtype=np.float32) - side // 2) * (len(kernel) / side) + len(kernel) // 2
    large = _sampled(_sampled(kernel, places, 0), places, 1)
    return large / max(float(large.sum()), 1e-12)


def _sampled(kernel: Pixels, places: Pixels, axis: int) -> Pixels:
    """Linear interpolation along one axis; 0 beyond the border."""
    line = np.arange(kernel.shape[axis])
    shares = np.maximum(0, 1 - np.abs(places[:, None] - line)).astype(np.float32)  # (new, old)
    return shares @ kernel if axis == 0 else kernel @ shares.T


def _smaller(plane: Pixels, scale: float) -> Pixels:
    """Made smaller by leaving out its finest waves, the outer ones of those that are kept softened."""
    if scale == 1:
        return plane
    tall, wide = plane.shape[-2:]
    height, width = (2 * max(4, round(length * scale / 2)) for length in (tall, wide))
    spectrum = np.fft.rfft2(plane)
    rows, columns = frequencies((height, width))
    taken = np.concatenate((spectrum[..., : height // 2, :], spectrum[..., -(height // 2) :, :]), -2)[
        ..., : width // 2 + 1
    ]
    soft = np.exp(-6 * (rows**2 + columns**2))
    small = np.fft.irfft2(taken * soft, s=(height, width)) * (height * width / (tall * wide))
    return small.astype(np.float32)
