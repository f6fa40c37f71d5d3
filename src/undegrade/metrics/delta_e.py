"""Difference of colour, as it is seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab


def delta_e(picture: NDArray[np.float32], clean: NDArray[np.float32]) -> float:
    """Mean CIEDE2000 (Sharma et al., 2005) over the pixels; 1 can just be seen. Both (3, H, W), sRGB in [0, 1]."""
    one, other = (rgb2lab(image.astype(np.float64), channel_axis=0) for image in (picture, clean))
    return float(deltaE_ciede2000(other, one, channel_axis=0).mean())
