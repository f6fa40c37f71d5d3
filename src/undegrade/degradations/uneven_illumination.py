"""Light from one side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.light import to_display, to_linear


@dataclass(frozen=True, kw_only=True)
class UnevenIllumination(Degradation):
    """A lamp near one side: y = display(g * linear(x)), g = 2 ** (-stops * s); the exposure suits the brightest point.

    s in [0, 1] has the shape that a small lamp gives a wall: light = h / (d^2 + h^2)^(3/2), h the distance of the lamp
    from the wall and d along it (inverse square and cosine law), on a logarithmic scale. The lamp stands at a random
    side, at or beyond the border of the picture.
    """

    label = "uneven_illumination"
    family = "light"
    stops: tuple[float, float] = severity(
        0.5, 3, "exposure steps from the brightest to the darkest point", limits=(0, 8)
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, stops: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        field = falloff(clean.shape[-2], clean.shape[-1], rng)
        return to_display(to_linear(clean) * torch.exp2(-stops * field)).clamp(0, 1)


def falloff(height: int, width: int, rng: torch.Generator) -> Tensor:
    """(H, W) in [0, 1]: how far the logarithm of the light has fallen, 0 nearest to the lamp."""
    angle, away = uniform(rng, 0, 2 * math.pi), uniform(rng, 0.45, 1.1)
    lift = uniform(rng, 0.3, 1.2)
    side = max(height, width)
    y = (torch.arange(height) - (height - 1) / 2)[:, None] / side - away * math.sin(angle) * height / side
    x = (torch.arange(width) - (width - 1) / 2)[None, :] / side - away * math.cos(angle) * width / side
    fall = torch.log(x * x + y * y + lift * lift)
    low, high = fall.amin(), fall.amax()
    return (fall - low) / (high - low).clamp_min(1e-6)
