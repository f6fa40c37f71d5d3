"""Too few levels of each colour."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity


@dataclass(frozen=True, kw_only=True)
class Quantisation(Degradation):
    """Posterised colour, bands where there were slopes: y = round(x * (levels - 1)) / (levels - 1)."""

    label = "quantisation"
    family = "sensor"
    random = False
    levels: tuple[float, float] = severity(
        4, 64, "levels of each colour (2 ** bits)", limits=(2, 256), log=True, whole=True, falling=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, levels: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        return (clean * (levels - 1)).round() / (levels - 1)
