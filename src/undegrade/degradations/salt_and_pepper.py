"""Dead pixels, black and white."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity


@dataclass(frozen=True, kw_only=True)
class SaltAndPepper(Degradation):
    """Impulse noise: y = 1 with probability share / 2, 0 with probability share / 2, else x, exactly.

    A pixel is hit in all three channels at once, so the specks are white and black.
    """

    label = "salt_and_pepper"
    family = "noise"
    share: tuple[float, float] = severity(0.005, 0.2, "share of the pixels hit", limits=(1e-5, 1), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, share: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        chance = torch.rand((*clean.shape[:-3], 1, *clean.shape[-2:]), generator=rng)
        return torch.where(chance < share, (chance < share / 2).to(clean.dtype), clean)
