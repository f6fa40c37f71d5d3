"""The planes that JPEG compresses: brightness, and two differences of colour that may be halved."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from undegrade.transform import Pixels

# ITU-T T.871, of levels.
WEIGHTS = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
BACK = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)
MIDDLE = np.array([128, 0, 0], np.float32).reshape(3, 1, 1)


def planes(picture: Pixels) -> Pixels:
    """(3, H, W), RGB in [0, 1] -> Y, Cb, Cr, levels about 0."""
    made: Pixels = np.tensordot(WEIGHTS * 255, picture, 1).astype(np.float32) - MIDDLE
    return made


def pixels(changes: Pixels) -> Pixels:
    """(3, H, W), what is added to Y, Cb, Cr in levels -> what is added to RGB in [0, 1]."""
    made: Pixels = np.tensordot(BACK / 255, changes, 1).astype(np.float32)
    return made


def halved(plane: Pixels, axis: int) -> Pixels:
    """What a decoder has made twice as long along an axis, of even length, as it was before.

    Decoders put 3/4 of a value and 1/4 of its neighbour into a pixel, so that the mean of two is x/8 + 3x/4 + x/8 over
    neighbours. That is undone, but for the ends of a part, where the neighbour is not known.
    """
    lines = np.moveaxis(plane, axis, -1)
    means = (lines[..., ::2] + lines[..., 1::2]) / np.float32(2)
    made: Pixels = np.matmul(means, _sharpening(means.shape[-1]).T, dtype=np.float32)
    return np.moveaxis(made, -1, axis)


def doubled(plane: Pixels, axis: int) -> Pixels:
    """Twice as long along an axis, as decoders do it: the inverse of `halved`."""
    lines = np.moveaxis(plane, axis, -1)
    wide = np.concatenate([lines[..., :1], lines, lines[..., -1:]], -1)
    made = np.empty((*lines.shape[:-1], 2 * lines.shape[-1]), np.float32)
    made[..., ::2] = np.float32(0.75) * lines + np.float32(0.25) * wide[..., :-2]
    made[..., 1::2] = np.float32(0.75) * lines + np.float32(0.25) * wide[..., 2:]
    return np.moveaxis(made, -1, axis)


@lru_cache(maxsize=8)
def _sharpening(length: int) -> Pixels:
    means = 0.75 * np.eye(length) + 0.125 * (np.eye(length, k=1) + np.eye(length, k=-1))
    means[0, 0] += 0.125
    means[-1, -1] += 0.125
    inverse: Pixels = np.linalg.inv(means).astype(np.float32)
    return inverse
