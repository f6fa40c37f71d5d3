"""JPEG compression."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.images import jpeg_roundtrip


@dataclass(frozen=True, kw_only=True)
class Jpeg(Degradation):
    """Baseline JPEG, written and read by libjpeg: y = decode(encode(x, quality, chroma)).

    Colour is halved both ways (4:2:0) unless asked for otherwise, as phones and most web sites do.
    """

    label = "jpeg"
    family = "compression"
    random = False
    quality: tuple[float, float] = severity(10, 90, "libjpeg quality", limits=(1, 100), whole=True, falling=True)
    chroma: tuple[float, float] = severity(
        2, 2, "colour halved 2 both ways (4:2:0), 1 across (4:2:2), 0 not at all (4:4:4)", limits=(0, 2), whole=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, quality: float, chroma: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range. Draws nothing from `rng`."""
        flat = clean.reshape(-1, *clean.shape[-3:]).numpy()
        spoiled = [torch.from_numpy(jpeg_roundtrip(p, int(quality), chroma=int(chroma))) for p in flat]
        return torch.stack(spoiled).reshape(clean.shape)
