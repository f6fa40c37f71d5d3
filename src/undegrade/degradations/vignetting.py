"""Dark corners."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.light import to_display, to_linear


@dataclass(frozen=True, kw_only=True)
class Vignetting(Degradation):
    """The cos^4 law of oblique light, in linear light: y = x * cos(v) ** 4 = x / (1 + tan(v) ** 2) ** 2.

    tan(v) is proportional to the distance from a centre near the middle of the picture, and such that the corner
    furthest from it gets 1 / 2 ** stops of the light.
    """

    label = "vignetting"
    family = "sensor"
    stops: tuple[float, float] = severity(0.5, 3, "exposure steps lost at the furthest corner", limits=(0, 10))

    def apply(self, clean: Tensor, rng: torch.Generator, *, stops: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        height, width = clean.shape[-2:]
        x, y = (torch.arange(side) - (side - 1) * uniform(rng, 0.4, 0.6) for side in (width, height))
        squared = x**2 + y[:, None] ** 2
        tangent_squared = (2 ** (stops / 2) - 1) * squared / squared.max().clamp_min(1e-6)
        return to_display(to_linear(clean) / (1 + tangent_squared) ** 2).clamp(0, 1)
