"""Fog that lies on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import smooth_field
from undegrade.degradations.depth import random_depth
from undegrade.degradations.veil import veil


@dataclass(frozen=True, kw_only=True)
class Fog(Degradation):
    """A white, patchy, low layer (Koschmieder, linear light): y = x * t + A * (1 - t), t = exp(-density * d * h * p).

    d is a random smooth depth that spans [1 - 0.8 * relief, 1], as for haze. Fog thins out upwards as
    exp(-height / layer), so a line of sight that rises by u layers meets on average h = (1 - exp(-u)) / u of the
    extinction at the ground; u is zero below a random horizon and grows above it. p is smooth, 0.6 to 1.4.
    """

    label = "fog"
    family = "weather"
    density: tuple[float, float] = severity(0.4, 2.5, "optical depth at the farthest point", limits=(0, 10))
    airlight: tuple[float, float] = severity(0.85, 1.0, "brightness of the fog, 0 to 1", limits=(0, 1))
    relief: tuple[float, float] = severity(
        0.1, 1.0, "range of distances, 1 from near to the farthest point", limits=(0.01, 1), log=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, density: float, airlight: float, relief: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        shape = (*clean.shape[:-3], 1, *clean.shape[-2:])
        depth = 1 - relief * (1 - random_depth(shape, rng))
        horizon, layer = uniform(rng, 0.3, 0.7), uniform(rng, 0.1, 0.4)
        above = (horizon - torch.linspace(0, 1, shape[-2])[:, None]).clamp_min(0) * relief
        patches = 0.7 * smooth_field(shape, rng, 3) + 0.3 * smooth_field(shape, rng, 8)
        optical_depth = density * depth * mean_extinction(above * depth / layer) * (0.6 + 0.8 * patches)
        cast = 1 + 0.02 * (torch.rand((3, 1, 1), generator=rng) - 0.5)
        return veil(clean, optical_depth, (airlight * cast).clamp(0, 1))


def mean_extinction(rise: Tensor) -> Tensor:
    """The mean of exp(-s) for s from 0 to `rise`, 1 where the line of sight does not rise."""
    rise = rise.clamp_min(1e-3)
    return -torch.expm1(-rise) / rise
