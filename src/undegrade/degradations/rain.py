"""Rain streaks in several layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import convolve, line_kernel

# Far to near: length, thickness (pixels), share of the drops, brightness, each relative to the severities.
LAYERS = ((0.45, 0.6, 0.6, 0.6), (0.8, 1.0, 0.3, 0.8), (1.5, 1.8, 0.1, 1.0))


@dataclass(frozen=True, kw_only=True)
class Rain(Degradation):
    """Falling drops drawn out by the exposure: y = x + s * (0.95 - x) where s in [0, 1] is the streaks' opacity.

    s = 1 - prod over layers of (1 - s_l); a layer is a sparse field of drops of uneven brightness convolved with a
    straight streak. Near layers are longer, thicker, brighter and sparser; a thin veil goes with the rain.
    """

    label = "rain"
    family = "weather"
    density: tuple[float, float] = severity(0.5, 6, "drops in 1000 pixels", limits=(0, 50))
    length: tuple[float, float] = severity(8, 32, "length of a streak, pixels", limits=(1, 200))
    angle: tuple[float, float] = severity(-30, 30, "slant, degrees from straight down", limits=(-89, 89))

    def apply(self, clean: Tensor, rng: torch.Generator, *, density: float, length: float, angle: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        shape = (*clean.shape[:-3], 1, *clean.shape[-2:])
        clear = torch.full(shape, 1 - 0.01 * density * uniform(rng, 0, 1))
        for stretch, thickness, share, brightness in LAYERS:
            chance = torch.rand(shape, generator=rng)
            drops = (chance < density / 1000 * share) * (0.4 + 0.6 * torch.rand(shape, generator=rng))
            streak = line_kernel(length * stretch, angle + uniform(rng, -4, 4), thickness)
            # Scaled so that a lone drop of brightness 1 gives a streak of that opacity.
            opacity = convolve(drops, streak / streak.max(), reflect=False).clamp(0, 1)
            clear = clear * (1 - 0.75 * brightness * opacity)
        return (clean + (1 - clear) * (0.95 - clean)).clamp(0, 1)
