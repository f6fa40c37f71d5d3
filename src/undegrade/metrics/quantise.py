"""Pictures as they will be saved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def quantise(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rounded to 8 bits: any shape, in [0, 1]."""
    return (np.clip(picture, 0, 1) * 255).round().astype(np.float32) / np.float32(255)
