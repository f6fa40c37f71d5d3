"""The colour mosaic of an X-Trans sensor, filled in the simplest way."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation
from undegrade.degradations.colour_filter import fill

PATTERN = ("GBGGRG", "RGRBGB", "GBGGRG", "GRGGBG", "BGBRGR", "GRGGBG")


@dataclass(frozen=True, kw_only=True)
class XTransMosaic(Degradation):
    """One colour a pixel in Fujifilm's 6 x 6 pattern, shifted at random; the others are means of the nearest samples.

    y_c = sum(w * m_c * x_c) / sum(w * m_c), m_c the mask of colour c, w = 1 / squared distance within 3 x 3 pixels,
    which hold every colour except at the border, where 5 x 5 may be needed. Measured values stay. It has no severity.
    """

    label = "xtrans_mosaic"
    family = "sensor"

    def apply(self, clean: Tensor, rng: torch.Generator) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        height, width = clean.shape[-2:]
        down, right = (int(v) for v in torch.randint(0, 6, (2,), generator=rng))
        tile = torch.tensor([["RGB".index(colour) for colour in row] for row in PATTERN])
        rows, columns = (torch.arange(height) + down) % 6, (torch.arange(width) + right) % 6
        kept = tile[rows][:, columns] == torch.arange(3)[:, None, None]
        return fill(clean.reshape(-1, 3, height, width), kept, near(1), near(2)).reshape(clean.shape).clamp(0, 1)


def near(reach: int) -> Tensor:
    """Weights (3, k, k), the same for each colour: 1 / squared distance in pixels, and 1 in the middle."""
    axis = torch.arange(-reach, reach + 1)
    squared = axis[:, None] ** 2 + axis**2
    return (1 / squared.clamp_min(1)).expand(3, -1, -1)
