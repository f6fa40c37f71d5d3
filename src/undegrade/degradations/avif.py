"""AVIF compression."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.images import avif_roundtrip


@dataclass(frozen=True, kw_only=True)
class Avif(Degradation):
    """AVIF (an AV1 key frame) with 8 bits and halved chroma: y = decode(encode(x, quality)).

    Large blocks, many directions of prediction and strong filters: detail melts away and edges stay.
    """

    label = "avif"
    family = "compression"
    random = False
    quality: tuple[float, float] = severity(10, 80, "libheif quality", limits=(1, 100), whole=True, falling=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, quality: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range. Draws nothing from `rng`."""
        flat = clean.reshape(-1, *clean.shape[-3:]).numpy()
        return torch.stack([torch.from_numpy(avif_roundtrip(p, int(quality))) for p in flat]).reshape(clean.shape)
