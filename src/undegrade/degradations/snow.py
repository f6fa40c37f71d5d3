"""Falling snow at several depths."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import convolve, line_kernel, soften

# Far to near: size (relative), share of the flakes, blur relative to the size, opacity.
LAYERS = ((0.35, 0.62, 0.3, 0.75), (0.7, 0.28, 0.25, 0.95), (1.3, 0.09, 0.35, 0.9), (2.8, 0.01, 0.6, 0.6))


@dataclass(frozen=True, kw_only=True)
class Snow(Degradation):
    """White flakes in front of the scene: y = x * (1 - s) + 0.97 * s, s = 1 - prod over layers of (1 - s_l).

    Near flakes are larger, fewer and out of focus; all drift along one direction. A faint veil goes with them.
    """

    label = "snow"
    family = "weather"
    density: tuple[float, float] = severity(1, 12, "flakes in 1000 pixels", limits=(0, 100))
    size: tuple[float, float] = severity(1.5, 4, "diameter of a flake at middle distance, pixels", limits=(0.5, 50))

    def apply(self, clean: Tensor, rng: torch.Generator, *, density: float, size: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        shape = (*clean.shape[:-3], 1, *clean.shape[-2:])
        drift = uniform(rng, -60, 60)
        clear = torch.full(shape, 1 - 0.006 * density * uniform(rng, 0, 1))
        for relative, share, blur, opacity in LAYERS:
            diameter = size * relative
            chance = torch.rand(shape, generator=rng)
            flakes = (chance < density / 1000 * share) * (0.5 + 0.5 * torch.rand(shape, generator=rng))
            body = line_kernel(diameter * uniform(rng, 0.2, 1.2), drift + uniform(rng, -15, 15), diameter)
            soft = convolve(flakes, body / body.max(), reflect=False)
            soft = soften(soft, 0.3 + blur * diameter / 2, reflect=False)
            clear = clear * (1 - opacity * soft.clamp(0, 1))
        return (clean * clear + 0.97 * (1 - clear)).clamp(0, 1)
