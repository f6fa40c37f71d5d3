"""The colour mosaic of a sensor, filled in the simplest way."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation

# Weights with which the nearest samples of a colour are averaged; at a sampled pixel only the sample itself counts.
GREEN = ((0, 0.25, 0), (0.25, 1, 0.25), (0, 0.25, 0))
RED_OR_BLUE = ((0.25, 0.5, 0.25), (0.5, 1, 0.5), (0.25, 0.5, 0.25))


@dataclass(frozen=True, kw_only=True)
class Mosaic(Degradation):
    """One colour a pixel (Bayer RGGB, shifted at random), the others interpolated bilinearly: zipper and false colour.

    y_c = sum(w * m_c * x_c) / sum(w * m_c) over the 3 x 3 neighbours, m_c the mask of colour c. It has no severity.
    """

    label = "mosaic"
    family = "sensor"

    def apply(self, clean: Tensor, rng: torch.Generator) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        height, width = clean.shape[-2:]
        down, right = (int(v) for v in torch.randint(0, 2, (2,), generator=rng))
        odd_row = ((torch.arange(height) + down) % 2).bool()[:, None]
        odd_column = ((torch.arange(width) + right) % 2).bool()[None, :]
        mask = torch.stack((~odd_row & ~odd_column, odd_row ^ odd_column, odd_row & odd_column)).float()
        weights = torch.tensor((RED_OR_BLUE, GREEN, RED_OR_BLUE))[:, None]
        flat = clean.reshape(-1, 3, height, width)
        known = F.conv2d(flat * mask, weights, padding=1, groups=3)
        share = F.conv2d(mask[None], weights, padding=1, groups=3)
        # In a picture one pixel wide a colour may have no sample at all; it stays as it was.
        filled = torch.where(mask.bool() | (share == 0), flat, known / share.clamp_min(1e-6))
        return filled.reshape(clean.shape).clamp(0, 1)
