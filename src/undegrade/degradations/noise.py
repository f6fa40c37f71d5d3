"""Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Degradation):
    """Sensor noise of constant strength: y = clip(x + sigma / 255 * e), e ~ N(0, 1) for each pixel and channel."""

    label = "noise"
    family = "noise"
    sigma: tuple[float, float] = severity(0, 50, "standard deviation, 8-bit levels", limits=(0, 255))

    def apply(self, clean: Tensor, rng: torch.Generator, *, sigma: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        return (clean + sigma / 255 * torch.randn(clean.shape, generator=rng)).clamp(0, 1)
