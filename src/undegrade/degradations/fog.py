"""Fog that lies on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import smooth_field
from undegrade.degradations.depth import scene_depth
from undegrade.degradations.veil import veil


@dataclass(frozen=True, kw_only=True)
class Fog(Degradation):
    """A white, patchy, low layer (Koschmieder, linear light): y = x * t + A * (1 - t), t = exp(-density * d * h * p).

    d is a random depth that spans [1 - 0.8 * relief, 1], as for haze. Fog thins out upwards as
    exp(-height / layer), so a line of sight that rises by u layers meets on average h = (1 - exp(-u)) / u of the
    extinction at the ground; u is zero below a random horizon and grows above it. p are drifting wisps, wider than
    high, from 0.65 to 1.35.
    """

    label = "fog"
    family = "weather"
    takes_depth = True
    density: tuple[float, float] = severity(0.4, 2.2, "optical depth at the farthest point", limits=(0, 10))
    airlight: tuple[float, float] = severity(0.8, 0.95, "brightness of the fog, 0 to 1", limits=(0, 1))
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
        shape = (*clean.shape[:-3], 1, *clean.shape[-2:])
        distance = 1 - relief * (1 - scene_depth(clean, rng, depth))
        horizon, layer = uniform(rng, 0.3, 0.7), uniform(rng, 0.1, 0.4)
        above = (horizon - torch.linspace(0, 1, shape[-2])[:, None]).clamp_min(0) * relief
        width = shape[-1]
        # A third of a wide field, so that the wisps are three times as wide as high.
        wisps = smooth_field((*shape[:-1], 3 * width), rng, 8)[..., :width]
        patches = 0.6 * wisps + 0.4 * smooth_field(shape, rng, 3)
        optical_depth = density * distance * mean_extinction(above * distance / layer) * (0.65 + 0.7 * patches)
        cast = 1 + 0.02 * (torch.rand((3, 1, 1), generator=rng) - 0.5)
        return veil(clean, optical_depth, (airlight * cast).clamp(0, 1))


def mean_extinction(rise: Tensor) -> Tensor:
    """The mean of exp(-s) for s from 0 to `rise`, 1 where the line of sight does not rise."""
    rise = rise.clamp_min(1e-3)
    return -torch.expm1(-rise) / rise
