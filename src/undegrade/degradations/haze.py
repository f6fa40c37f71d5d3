"""Haze that thickens with distance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.degradations.depth import scene_depth


@dataclass(frozen=True, kw_only=True)
class Haze(Degradation):
    """Koschmieder's law: y = x * t + A * (1 - t), t = exp(-density * depth).

    The depth map is random, far at the top of the picture, with hills and things; or a real one. A random one spans
    [1 - 0.8 * relief, 1]: a small part of a scene, such as a training patch, shows little of its range of distances.
    The air light A is nearly gray. As in RESIDE and CDD-11, with which models are compared, x and y are display values;
    fog and dust are mixed in linear light.
    """

    label = "haze"
    family = "weather"
    takes_depth = True
    density: tuple[float, float] = severity(0.3, 2.5, "optical depth at the farthest point", limits=(0, 10))
    airlight: tuple[float, float] = severity(0.7, 1.0, "brightness of the haze, 0 to 1", limits=(0, 1))
    relief: tuple[float, float] = severity(
        0.1, 1.0, "range of distances, 1 from near to the farthest point", limits=(0.01, 1), log=True
    )

    def apply(
        self,
        clean: Tensor,
        rng: torch.Generator,
        *,
        density: float,
        airlight: float,
        relief: float,
        depth: Tensor | None = None,
    ) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; a depth map is (..., 1, H, W) in [0, 1]."""
        distance = 1 - relief * (1 - scene_depth(clean, rng, depth))
        transmission = torch.exp(-density * distance)
        cast = 1 + 0.04 * (torch.rand((3, 1, 1), generator=rng) - 0.5)
        return (clean * transmission + (airlight * cast).clamp(0, 1) * (1 - transmission)).clamp(0, 1)
