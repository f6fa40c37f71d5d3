"""WebP compression."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.images import webp_roundtrip


@dataclass(frozen=True, kw_only=True)
class Webp(Degradation):
    """Lossy WebP (a VP8 key frame, RFC 6386): y = decode(encode(x, quality)).

    Unlike JPEG it predicts each block from its neighbours and smooths block edges: flat areas smear, texture goes.
    """

    label = "webp"
    family = "compression"
    random = False
    quality: tuple[float, float] = severity(2, 90, "libwebp quality", limits=(0, 100), whole=True, falling=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, quality: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range. Draws nothing from `rng`."""
        flat = clean.reshape(-1, *clean.shape[-3:]).numpy()
        return torch.stack([torch.from_numpy(webp_roundtrip(p, int(quality))) for p in flat]).reshape(clean.shape)
