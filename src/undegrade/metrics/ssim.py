"""Structural similarity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

WINDOW = 11  # side in pixels of the Gaussian window; smaller pictures cannot be measured


def ssim(picture: NDArray[np.float32], clean: NDArray[np.float32], *, flat: bool = False) -> float:
    """Mean SSIM (Wang et al., 2004) over places and channels; both (C, H, W) in [0, 1].

    The window is a Gaussian one of sigma 1.5, 11 x 11; or, `flat`, scikit-image's of 7 x 7, with the sample covariance.
    """
    return float(
        structural_similarity(
            clean,
            picture,
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=not flat,
            sigma=1.5,
            use_sample_covariance=flat,
        )
    )
