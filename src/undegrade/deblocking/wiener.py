"""Wiener's filter in squares that overlap, against an error that differs from coefficient to coefficient of a JPEG."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import as_strided

from undegrade.deblocking.lattice import BLOCK
from undegrade.transform import Pixels, cosines


def blocks(plane: Pixels, size: int) -> Pixels:
    """(H, W) -> (H // size, size, W // size, size): the coefficients of squares that lie side by side."""
    height, width = plane.shape[0] // size, plane.shape[1] // size
    return _both_ways(plane[: height * size, : width * size], cosines(size))


def plane_of(coefficients: Pixels) -> Pixels:
    """The inverse of `blocks`."""
    height, size, width, _ = coefficients.shape
    made = _both_ways(coefficients.reshape(height * size, width * size), cosines(size).T)
    return made.reshape(height * size, width * size)


def _both_ways(plane: Pixels, matrix: Pixels) -> Pixels:
    """Squares that lie side by side, (h, n, w, n), multiplied by a matrix (n, n) from the left and from the right."""
    size = len(matrix)
    height, width = plane.shape[0] // size, plane.shape[1] // size
    across = plane.reshape(-1, size) @ matrix.T  # one large product is faster than many small ones
    made: Pixels = (matrix @ across.reshape(height, size, width * size)).reshape(height, size, width, size)
    return made


def filtered(plane: Pixels, pilot: Pixels, errors: Pixels, demand: float, *, size: int, step: int) -> Pixels:
    """A plane (H, W), each coefficient of its squares times p^2 / (p^2 + demand * e), and the squares averaged.

    p is the pilot's coefficient and e the variance of the error in the plane's. A square counts the more, the less of
    the error is left in it, as in "Image Denoising by Sparse 3-D Transform-Domain Collaborative Filtering", IEEE TIP
    2007.

    Args:
        plane: whose blocks begin in the corner; three times the size at least.
        pilot: another estimate of it.
        errors: the variances of the coefficients of its blocks, each at its place in the block; above 0.
        demand: how much a wave is asked to stand out, from 1 on.
        size: of a square, pixels.
        step: from one square to the next, pixels.
    """

    def rows(top: int) -> tuple[Pixels, Pixels]:
        total, weights = np.zeros_like(plane), np.zeros_like(plane)
        for left in range(0, size, step):
            down, across = ((n - BLOCK - at) // size * size for n, at in zip(plane.shape, (top, left), strict=True))
            place = np.s_[top : top + down, left : left + across]
            error = _error(errors, (top, left), (down, across), size)
            power = np.square(blocks(pilot[place], size))
            factors = power / (power + np.float32(demand) * error)
            remains = np.einsum("aibj,aibj,aibj->ab", factors, factors, error)
            weight = 1 / np.maximum(remains, error.mean((1, 3)))
            made = blocks(plane[place], size)
            made *= factors
            made *= weight[:, None, :, None]
            total[place] += plane_of(made)
            weights[place] += weight.repeat(size, 0).repeat(size, 1)
        return total, weights

    # NumPy leaves the other cores to other threads; sums are taken in the same order whatever their number.
    with ThreadPoolExecutor(min(size // step, os.cpu_count() or 1)) as pool:
        made = list(pool.map(rows, range(0, size, step)))
    total, weights = (np.sum([one[number] for one in made], 0) for number in (0, 1))
    average: Pixels = total / np.maximum(weights, np.float32(1e-9))
    return average


def _error(errors: Pixels, begin: tuple[int, int], sides: tuple[int, int], size: int) -> Pixels:
    """(h, size, w, size): variances in the squares that begin at a pixel, of errors that are independent in blocks."""
    top, left = (at // BLOCK * BLOCK for at in begin)
    down, across = (_spread(size, at % BLOCK) for at in begin)
    (tall, wide), (height, width) = (one.shape[1] for one in (down, across)), (side // size for side in sides)
    # All rows first, then columns: a row then serves the squares above and below.
    part = errors[top : top + height * size + tall - size, left:]
    steps = part.strides
    seen = as_strided(part, (len(part), width, wide), (steps[0], steps[1] * size, steps[1]), writeable=False)
    rows = (np.ascontiguousarray(seen).reshape(-1, wide) @ across.T).reshape(len(part), width * size)
    steps = rows.strides
    made: Pixels = down @ as_strided(rows, (height, tall, width * size), (steps[0] * size, *steps), writeable=False)
    return made.reshape(height, size, width, size)


@cache
def _spread(size: int, shift: int) -> Pixels:
    """(size, n): the share of each wave of the blocks, one behind the other, in each wave of a line that begins late.

    The lines' squared inner products, so that variances of the ones give those of the others.
    """
    length = -(-(shift + size) // BLOCK) * BLOCK
    line = np.zeros((size, length), np.float32)
    line[:, shift : shift + size] = cosines(size)
    of_blocks = np.kron(np.eye(length // BLOCK, dtype=np.float32), cosines(BLOCK))
    return np.square(line @ of_blocks.T)
