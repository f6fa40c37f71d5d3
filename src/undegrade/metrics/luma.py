"""Light without colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RED, GREEN, BLUE, BLACK = 65.481, 128.553, 24.966, 16.0


def luma(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Y = (65.481 R + 128.553 G + 24.966 B + 16) / 255 (ITU-R BT.601, black at 16, white at 235).

    Args:
        picture: (3, H, W), RGB in [0, 1].

    Returns:
        (1, H, W) in [16/255, 235/255].
    """
    light = np.tensordot(np.array([RED, GREEN, BLUE]), picture.astype(np.float64), 1) + BLACK
    return (light[None] / 255).astype(np.float32)
