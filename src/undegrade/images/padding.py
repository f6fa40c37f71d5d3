"""Padding to the sizes a network takes, and cropping back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError


def pad_to_multiple(pixels: NDArray[np.float32], multiple: int) -> tuple[NDArray[np.float32], int, int]:
    """Pads (C, H, W) at the right and the bottom until both sides are multiples of `multiple`.

    The picture is mirrored at its last row and column (which are not repeated); along a side too short to mirror that
    far, its edge is repeated.

    Returns:
        The padded (C, H', W') pixels, and H and W for `crop_to`.

    >>> padded, height, width = pad_to_multiple(np.zeros((3, 5, 8), np.float32), 4)
    >>> padded.shape, height, width
    ((3, 8, 8), 5, 8)

    Raises:
        UndegradeError: `multiple` is below 1.
    """
    if multiple < 1:
        raise UndegradeError(f"multiple: {multiple}; expected 1 or more")
    height, width = pixels.shape[1:]
    for axis, size in ((1, height), (2, width)):
        extra = -size % multiple
        if extra:
            widths = [(0, extra) if i == axis else (0, 0) for i in range(3)]
            pixels = np.pad(pixels, widths, mode="reflect" if extra < size else "edge")
    return pixels, height, width


def crop_to(pixels: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """The top left `height` x `width` pixels of (C, H, W), a view."""
    return pixels[:, :height, :width]
