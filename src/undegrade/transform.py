"""Shrinking a picture's cosine transform, in squares that overlap."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
Shrink = Callable[..., Pixels]  # coefficients, of one picture or of several -> their factors


@cache
def cosines(size: int) -> Pixels:
    """(size, size): the orthonormal DCT-II, a wave a row.

    >>> np.allclose(cosines(3) @ cosines(3).T, np.eye(3), atol=1e-6)
    True
    """
    waves = np.sqrt(2 / size) * np.cos(np.pi * np.arange(size)[:, None] * (np.arange(size) + 0.5) / size)
    waves[0] /= np.sqrt(2)
    return waves.astype(np.float32)


def turned(picture: Pixels) -> Pixels:
    """(3, H, W) -> brightness and two differences of colour, by the DCT over the channels, which keeps noise."""
    return np.tensordot(cosines(3), picture, 1).astype(np.float32)


def turned_back(planes: Pixels) -> Pixels:
    """The inverse of `turned`."""
    return np.tensordot(cosines(3).T, planes, 1).astype(np.float32)


def squares(planes: Pixels, size: int) -> Pixels:
    """(C, H, W) -> (C, H // size, size, W // size, size): the coefficients of squares that lie side by side."""
    channels, height, width = planes.shape
    blocks = planes[:, : height // size * size, : width // size * size]
    blocks = blocks.reshape(channels, height // size, size, width // size, size)
    return _along(_along(blocks, cosines(size), 2), cosines(size), 4)


def _along(blocks: Pixels, waves: Pixels, axis: int) -> Pixels:
    """Each line of the squares along an axis, multiplied by the matrix."""
    if axis == 4:
        return blocks @ waves.T
    return np.moveaxis(np.moveaxis(blocks, axis, 4) @ waves.T, 4, axis)


def shrunk(planes: tuple[Pixels, ...], shrink: Shrink, *, size: int, step: int) -> Pixels:
    """The first of the planes (3, H, W), the coefficients of its squares multiplied by factors, squares averaged.

    Each square counts the more, the less is left of it, as more noise is then gone: over the sum of its squared
    factors, as in "Image Denoising by Sparse 3-D Transform-Domain Collaborative Filtering", IEEE TIP 2007.

    Args:
        planes: the noisy ones, and others by which the factors go.
        shrink: of the coefficients of each, (3, h, size, w, size): factors in [0, 1].
        size: of a square, pixels; less than half of H and of W.
        step: from one square to the next, pixels.
    """
    _, height, width = planes[0].shape
    around = ((0, 0), (size, 2 * size), (size, 2 * size))  # squares end before the last lines
    wide = [np.pad(one, around, "reflect") for one in planes]
    rows = partial(_rows_of_squares, wide, shrink, size, step)
    # NumPy leaves the other cores to other threads; sums are taken in the same order whatever their number.
    with ThreadPoolExecutor(min(size // step, os.cpu_count() or 1)) as pool:
        made = list(pool.map(rows, range(0, size, step)))
    inside = np.s_[:, size : size + height, size : size + width]
    total, weights = (np.sum([one[number][inside] for one in made], 0) for number in (0, 1))
    shrunken: Pixels = total / weights
    return shrunken


def _rows_of_squares(wide: list[Pixels], shrink: Shrink, size: int, step: int, top: int) -> tuple[Pixels, Pixels]:
    """What the squares say whose rows begin at `top`, and how much it counts."""
    total, weights = np.zeros_like(wide[0]), np.zeros_like(wide[0])
    for left in range(0, size, step):
        found = [squares(one[:, top:, left:], size) for one in wide]
        factors = shrink(*found)
        weight = 1 / np.maximum(np.square(factors).sum((2, 4), keepdims=True), 1)
        made = _along(_along(found[0] * factors * weight, cosines(size).T, 2), cosines(size).T, 4)
        _, down, _, across, _ = made.shape
        place = np.s_[:, top : top + down * size, left : left + across * size]
        total[place] += made.reshape(3, down * size, across * size)
        weights[place] += np.broadcast_to(weight, made.shape).reshape(3, down * size, across * size)
    return total, weights
