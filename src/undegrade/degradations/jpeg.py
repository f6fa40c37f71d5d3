"""JPEG compression."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.images import jpeg_roundtrip


@dataclass(frozen=True, kw_only=True)
class Jpeg(Degradation):
    """Baseline JPEG with halved chroma (4:2:0), written and read by libjpeg: y = decode(encode(x, quality))."""

    label = "jpeg"
    family = "compression"
    random = False
    quality: tuple[float, float] = severity(10, 90, "libjpeg quality", limits=(1, 100), whole=True, falling=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, quality: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range. Draws nothing from `rng`."""
        flat = clean.reshape(-1, *clean.shape[-3:]).numpy()
        return torch.stack([torch.from_numpy(jpeg_roundtrip(p, int(quality))) for p in flat]).reshape(clean.shape)
