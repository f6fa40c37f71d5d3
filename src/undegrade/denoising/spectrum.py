"""Noise that is coarser than a pixel, as a camera's own processing leaves it: how strong it is, wave by wave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from undegrade.transform import Pixels, squares, turned

SQUARE = 8  # pixels
PLACES = (2, 6)  # pixels: squares begin where no block of a JPEG file does
CUT_OFF = 0.25  # share of a square's values that may be black or white
FLATTEST, LEAST = 0.05, 24  # share and least number of the squares that are gone by
COARSE = 0.9  # sum of both slopes, from which on a noise is coarse: of even noise on photographs at most 0.8
EXCESS = 1.15  # as coarse noise is stronger in some parts of a picture than in its flattest
NORMAL = 0.6745  # the median of what is normally distributed, without its sign, of its standard deviation
LEAST_SIGMA = np.float32(1e-4)


def waves(size: int) -> Pixels:
    """(size,): from 1 of the coarsest wave of a square to -1 of the finest, as a cosine falls.

    >>> [f"{wave:.2f}" for wave in waves(2)]
    ['0.71', '-0.71']
    """
    return np.cos(np.pi * (np.arange(size) + 0.5) / size).astype(np.float32)


def spread(sigmas: Pixels, slopes: Pixels, size: int) -> Pixels:
    """(3, size, size): sigma * exp(down * w_u + across * w_v), the standard deviation of each wave.

    Args:
        sigmas: (3,), the geometric means over all waves.
        slopes: (3, 2), down and across.
        size: of a square.
    """
    w = waves(size)
    return sigmas[:, None, None] * np.exp(slopes[:, :1, None] * w[:, None] + slopes[:, 1:, None] * w)


def coarse_noise(parts: Sequence[Pixels]) -> tuple[Pixels, Pixels] | None:
    """Sigmas (3,) and slopes (3, 2) of `spread` of parts (3, h, w) in [0, 1]; None: the noise is even, or nothing says.

    Whether there is noise at all it cannot tell: of a clean photograph it measures the texture.

    Each wave's median over the flattest squares. Which they are is said by the other half of their waves, so that they
    are not those that happen to have little noise. A plane through the logarithms makes up for there being few.
    """
    planes = np.concatenate([clear_squares(part[:, at:, at:]) for part in parts for at in PLACES], 1)
    number = planes.shape[1]
    if number < LEAST:
        return None
    count = min(number, max(LEAST, int(number * FLATTEST)))
    sizes = np.empty((3, SQUARE, SQUARE), np.float32)
    odd = np.add.outer(np.arange(SQUARE), np.arange(SQUARE)) % 2 == 1
    for half in (odd, ~odd):
        others = ~half
        others[0, 0] = False  # the square's mean
        flattest = np.square(planes[:, :, others]).sum((0, 2)).argsort(kind="stable")[:count]
        sizes[:, half] = np.median(np.abs(planes[:, flattest][:, :, half]), 1)
    sizes[:, 0, 0] = (sizes[:, 0, 1] + sizes[:, 1, 0]) / 2
    logs, w = np.log(np.maximum(sizes / NORMAL, LEAST_SIGMA)), waves(SQUARE)
    slopes = np.stack([logs.mean(2) @ w, logs.mean(1) @ w], 1) / np.square(w).sum()
    sigmas = np.exp(logs.mean((1, 2)))
    there = sigmas > 2 * LEAST_SIGMA  # gray pictures have no noise of colour
    if not there.any() or np.median(slopes[there].sum(1)) < COARSE:
        return None
    return (sigmas * EXCESS).astype(np.float32), slopes.astype(np.float32)


def clear_squares(part: Pixels) -> Pixels:
    """(3, h, w) in [0, 1] -> (3, n, SQUARE, SQUARE): coefficients of squares of which few values are cut off."""
    height, width = (side // SQUARE for side in part.shape[1:])
    blocks = part[:, : height * SQUARE, : width * SQUARE].reshape(3, height, SQUARE, width, SQUARE)
    clear = ((blocks <= 0) | (blocks >= 1)).mean((0, 2, 4)) < CUT_OFF
    return squares(turned(part), SQUARE).transpose(0, 1, 3, 2, 4)[:, clear]
