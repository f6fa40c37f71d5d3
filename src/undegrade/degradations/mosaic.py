"""The colour mosaic of a sensor, filled in the simplest way."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation
from undegrade.degradations.colour_filter import fill

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
        mask = torch.stack((~odd_row & ~odd_column, odd_row ^ odd_column, odd_row & odd_column))
        flat = clean.reshape(-1, 3, height, width)
        filled = fill(flat, mask, torch.tensor((RED_OR_BLUE, GREEN, RED_OR_BLUE)))
        return filled.reshape(clean.shape).clamp(0, 1)
