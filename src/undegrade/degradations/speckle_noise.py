"""Multiplicative noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity


@dataclass(frozen=True, kw_only=True)
class SpeckleNoise(Degradation):
    """Noise in proportion to the value: y = clip(x * (1 + sigma * e)), e ~ N(0, 1) for each pixel and channel.

    On display values, as in ImageNet-C (Hendrycks and Dietterich, 2019); black stays black.
    """

    label = "speckle_noise"
    family = "noise"
    sigma: tuple[float, float] = severity(
        0.05, 0.5, "standard deviation, share of the value", limits=(1e-3, 5), log=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, sigma: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        return (clean * (1 + sigma * torch.randn(clean.shape, generator=rng))).clamp(0, 1)
