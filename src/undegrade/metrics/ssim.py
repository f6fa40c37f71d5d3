"""Structural similarity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

WINDOW = 11  # side in pixels of the Gaussian window; smaller pictures cannot be measured


def ssim(picture: NDArray[np.float32], clean: NDArray[np.float32]) -> float:
    """Mean SSIM (Wang et al., 2004) over RGB; Gaussian window of sigma 1.5, 11 x 11; both (3, H, W) in [0, 1]."""
    return float(
        structural_similarity(
            clean,
            picture,
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )
