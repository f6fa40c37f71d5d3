"""Defocus blur by a round or bladed aperture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import convolve
from undegrade.degradations.light import to_display, to_linear

SUPERSAMPLING = 5  # positions a side inside each pixel, for a smooth edge


@dataclass(frozen=True, kw_only=True)
class DefocusBlur(Degradation):
    """A lens out of focus: y = display(k * linear(x)), k uniform over the image of the aperture.

    The aperture is a disc, or a polygon of 5 to 9 blades turned at random, half the time each.
    """

    label = "defocus_blur"
    family = "blur"
    radius: tuple[float, float] = severity(0.5, 5, "radius of the circle of confusion, pixels", limits=(0, 50))

    def apply(self, clean: Tensor, rng: torch.Generator, *, radius: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        blades = int(torch.randint(5, 10, (), generator=rng)) if uniform(rng, 0, 1) < 0.5 else 0
        kernel = aperture(radius, blades=blades, turn=uniform(rng, 0, 2 * math.pi))
        return to_display(convolve(to_linear(clean), kernel).clamp(0, 1)).clamp(0, 1)


def aperture(radius: float, *, blades: int, turn: float) -> Tensor:
    """A (k, k) kernel, k odd, that sums to one: a disc (`blades` 0) or a regular polygon of the same corner radius."""
    reach = max(1, math.ceil(radius))
    side = 2 * reach + 1
    step = 1 / SUPERSAMPLING
    axis = torch.arange(-reach - 0.5 + step / 2, reach + 0.5, step)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    distance = torch.hypot(x, y)
    if blades:
        # Within one sector the edge of a regular polygon is a straight line at the distance of its middle.
        sector = 2 * math.pi / blades
        within = torch.remainder(torch.atan2(y, x) - turn, sector) - sector / 2
        distance = distance * torch.cos(within) / math.cos(sector / 2)
    inside = (distance <= max(radius, step)).float()
    kernel = inside.reshape(side, SUPERSAMPLING, side, SUPERSAMPLING).mean((1, 3))
    return kernel / kernel.sum()
