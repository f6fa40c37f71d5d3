"""Measures over several scales, by torchmetrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from undegrade.errors import UndegradeError

MS_SSIM_SIDE = 176  # pixels: the fifth scale is a sixteenth, and has to hold the window of 11
VIF_SIDE = 41  # pixels: the fourth scale is an eighth, less the windows


def ms_ssim(picture: NDArray[np.float32], clean: NDArray[np.float32]) -> float:
    """Multi-scale SSIM (Wang et al., 2003): product over five scales of contrast and structure, weights .0448 to .1333.

    Gaussian window of sigma 1.5, 11 x 11, over all channels; both (C, H, W) in [0, 1], 176 pixels a side at least.
    """
    image = _torchmetrics()
    return float(image.multiscale_structural_similarity_index_measure(*_tensors(picture, clean), data_range=1.0))


def vif(picture: NDArray[np.float32], clean: NDArray[np.float32]) -> float:
    """Visual information fidelity (Sheikh and Bovik, 2006), in the pixel domain, over four scales.

    The information about the scene that is left in the picture, over that in the clean one: 1 for the same, above 1
    where contrast was added. Both (C, H, W) in [0, 1], 41 pixels a side at least.
    """
    return float(_torchmetrics().visual_information_fidelity(*_tensors(255 * picture, 255 * clean)))


def _torchmetrics() -> Any:
    try:
        from torchmetrics.functional import image
    except ModuleNotFoundError as error:
        raise UndegradeError(
            f"MS-SSIM and VIF need the extra metrics ({error.name} is not installed): pip install 'undegrade[metrics]'"
        ) from None
    return image


def _tensors(*pictures: NDArray[np.float32]) -> list[torch.Tensor]:
    """(1, C, H, W) each, in double precision."""
    return [torch.from_numpy(np.ascontiguousarray(picture, dtype=np.float64))[None] for picture in pictures]
