"""Photon noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.degradations.light import to_display, to_linear


@dataclass(frozen=True, kw_only=True)
class PoissonNoise(Degradation):
    """Too few photons counted, in linear light: y = display(clip(P(peak * linear(x)) / peak)), P Poisson counts.

    The standard deviation of the light l is sqrt(l / peak). Each pixel and channel counts for itself.
    """

    label = "poisson_noise"
    family = "noise"
    peak: tuple[float, float] = severity(10, 1000, "photons at white", limits=(0.5, 1e5), log=True, falling=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, peak: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        # Counts are drawn in the order of memory, so that order is made the same for all.
        photons = torch.poisson((to_linear(clean) * peak).contiguous(), generator=rng)
        return to_display((photons / peak).clamp(0, 1)).clamp(0, 1)
