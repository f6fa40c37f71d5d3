"""Light that leaked into the camera onto the film."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import smooth_field
from undegrade.degradations.light import to_display, to_linear

REACHES = (1.0, 0.62, 0.4)  # of red, green, blue: film is lit through its red layer, and red fades last


@dataclass(frozen=True, kw_only=True)
class LightLeak(Degradation):
    """A glow from one side: y = display(min(1, linear(x) + strength * a_c * exp(-(d / (r_c * reach)) ** 1.5))).

    d is the distance from that side over the picture's, uneven along it; a and r fall from red over green to blue, so
    that the glow is yellow-white at its source and red at its fringe. Light adds in linear light.
    """

    label = "light_leak"
    family = "light"
    strength: tuple[float, float] = severity(
        0.15, 1.2, "red light added at the side, full scale 1", limits=(0, 10), log=True
    )
    reach: tuple[float, float] = severity(0.15, 0.6, "share of the picture over which it fades", limits=(0.01, 3))

    def apply(self, clean: Tensor, rng: torch.Generator, *, strength: float, reach: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same leak on all pictures of a batch."""
        light = to_linear(clean) + strength * draw_glow(clean.shape[-2], clean.shape[-1], reach, rng)
        return to_display(light.clamp(0, 1)).clamp(0, 1)


def draw_glow(height: int, width: int, reach: float, rng: torch.Generator) -> Tensor:
    """(3, H, W) in [0, 1]: the colour of the leak, 1 in red at its brightest."""
    angle = math.radians(90 * int(torch.randint(4, (), generator=rng)) + uniform(rng, -25, 25))
    y = torch.linspace(-0.5, 0.5, height)[:, None] * math.cos(angle)
    x = torch.linspace(-0.5, 0.5, width)[None, :] * math.sin(angle)
    distance = (y + x + (abs(math.cos(angle)) + abs(math.sin(angle))) / 2).clamp_min(0)  # not below it by rounding
    uneven = 0.5 + 0.5 * smooth_field((height, width), rng, 2)
    away = (distance / (reach * uneven)) ** 1.5
    fall = torch.stack([torch.exp(away * -(r**-1.5)) for r in REACHES])
    amounts = torch.tensor([1.0, uniform(rng, 0.35, 0.65), uniform(rng, 0.05, 0.2)])
    return amounts[:, None, None] * fall * (0.5 + 0.5 * smooth_field((height, width), rng, 3))
