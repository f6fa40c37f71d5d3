"""Heavy rain, the far drops of which merge into a veil."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import convolve, line_kernel
from undegrade.degradations.depth import scene_depth
from undegrade.degradations.veil import veil

# Far to near: distance (1 is the farthest point), length and thickness (relative; pixels), share of the drops, opacity.
LAYERS = ((0.8, 0.4, 0.5, 0.66, 0.45), (0.5, 0.75, 0.9, 0.28, 0.5), (0.2, 1.5, 1.7, 0.06, 0.55))


@dataclass(frozen=True, kw_only=True)
class RainVeil(Degradation):
    """A downpour: v = x * t + A * (1 - t), t = exp(-density * d), in linear light; y = v + s * (0.92 - v).

    d is a random depth, A gray. The streaks' opacity is s = 1 - prod over layers of (1 - s_l); layer l at
    distance d_l is dimmed by the rain before it, exp(-density * d_l), and hidden where the scene is nearer (Hu et al.,
    "Depth-Attentional Features for Single-Image Rain Removal", 2019). Near streaks are longer, thicker and fewer.
    """

    label = "rain_veil"
    family = "weather"
    takes_depth = True
    density: tuple[float, float] = severity(0.3, 1.8, "optical depth at the farthest point", limits=(0, 10))
    drops: tuple[float, float] = severity(5, 30, "streaks in 1000 pixels", limits=(0, 100))
    length: tuple[float, float] = severity(8, 24, "length of a streak at middle distance, pixels", limits=(1, 200))

    def apply(
        self,
        clean: Tensor,
        rng: torch.Generator,
        *,
        density: float,
        drops: float,
        length: float,
        depth: Tensor | None = None,
    ) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; a depth map is (..., 1, H, W) in [0, 1]."""
        shape = (*clean.shape[:-3], 1, *clean.shape[-2:])
        far = scene_depth(clean, rng, depth)
        airlight = uniform(rng, 0.62, 0.82) * (1 + 0.04 * (torch.rand((3, 1, 1), generator=rng) - 0.5))
        angle, clear = uniform(rng, -25, 25), torch.ones(shape)
        for distance, relative, thickness, share, opacity in LAYERS:
            chance = torch.rand(shape, generator=rng)
            seeds = (chance < drops / 1000 * share) * (0.3 + 0.7 * torch.rand(shape, generator=rng))
            streak = line_kernel(length * relative, angle + uniform(rng, -3, 3), thickness)
            # Scaled so that a lone drop of brightness 1 gives a streak of the layer's opacity.
            streaks = convolve(seeds, streak / streak.max(), reflect=False).clamp(0, 1)
            in_front = ((far - distance) / 0.1 + 0.5).clamp(0, 1)
            dimmed = torch.exp(torch.tensor(-density * distance))
            clear = clear * (1 - opacity * dimmed * in_front * streaks)
        seen = veil(clean, density * far, airlight)
        return (seen + (1 - clear) * (0.92 - seen)).clamp(0, 1)
