"""Haze that thickens with distance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.degradations.depth import random_depth


@dataclass(frozen=True, kw_only=True)
class Haze(Degradation):
    """Koschmieder's law: y = x * t + A * (1 - t), t = exp(-density * depth).

    The depth map is random and smooth, far at the top of the picture, with hills. It spans [1 - 0.8 * relief, 1]: a
    small part of a scene, such as a training patch, shows little of its range of distances. The air light A is nearly
    gray.
    """

    label = "haze"
    family = "weather"
    density: tuple[float, float] = severity(0.3, 2.5, "optical depth at the farthest point", limits=(0, 10))
    airlight: tuple[float, float] = severity(0.7, 1.0, "brightness of the haze, 0 to 1", limits=(0, 1))
    relief: tuple[float, float] = severity(
        0.1, 1.0, "range of distances, 1 from near to the farthest point", limits=(0.01, 1), log=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, density: float, airlight: float, relief: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        depth = 1 - relief * (1 - random_depth((*clean.shape[:-3], 1, *clean.shape[-2:]), rng))
        transmission = torch.exp(-density * depth)
        cast = 1 + 0.04 * (torch.rand((3, 1, 1), generator=rng) - 0.5)
        return (clean * transmission + (airlight * cast).clamp(0, 1) * (1 - transmission)).clamp(0, 1)
