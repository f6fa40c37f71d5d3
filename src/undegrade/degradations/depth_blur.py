"""Depth of field: sharp at one distance, blurred before and behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import convolve
from undegrade.degradations.depth import scene_depth
from undegrade.degradations.light import to_display, to_linear

# Of the blurred copies between which each pixel is blended, over the largest radius: closer where blur is small,
# because there a pixel more is seen best.
RADII = (0.0, 0.09, 0.25, 0.46, 0.72, 1.0)
NEAREST = 0.05  # distance below which a map that is given is not believed; the farthest point is at 1


@dataclass(frozen=True, kw_only=True)
class DepthBlur(Degradation):
    """A wide aperture focused at one distance: y(p) = display(disc of radius c(p) * linear(x)), spread over [0, 1].

    The circle of confusion of a thin lens: c(p) = A * abs(1 / d(p) - 1 / d_focus), d a random depth map, d_focus drawn
    from the depths in it, A such that the most blurred pixel has the given radius.
    """

    label = "depth_blur"
    family = "blur"
    takes_depth = True
    radius: tuple[float, float] = severity(1, 8, "largest radius of the circle of confusion, pixels", limits=(0, 50))

    def apply(self, clean: Tensor, rng: torch.Generator, *, radius: float, depth: Tensor | None = None) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; a depth map is (..., 1, H, W) in [0, 1]."""
        distance = scene_depth(clean, rng, depth).clamp_min(NEAREST)
        confusion = (1 / distance - 1 / uniform(rng, 0.2, 1)).abs()
        share = confusion / confusion.amax((-2, -1), keepdim=True).clamp_min(1e-6)
        return to_display(blur_by(to_linear(clean), share, radius).clamp(0, 1)).clamp(0, 1)


def blur_by(light: Tensor, share: Tensor, radius: float) -> Tensor:
    """(..., 3, H, W) under discs of radius `share` * `radius`; share is (..., 1, H, W) in [0, 1], the radius in pixels.

    Two copies are blended by squared radius, so that the blend has the variance of the disc it stands for.
    """
    result = torch.zeros_like(light)
    for i, place in enumerate(RADII):
        weight = torch.ones_like(share)
        if i > 0:
            weight = (share**2 - RADII[i - 1] ** 2) / (place**2 - RADII[i - 1] ** 2)
        if i < len(RADII) - 1:
            weight = torch.minimum(weight, (RADII[i + 1] ** 2 - share**2) / (RADII[i + 1] ** 2 - place**2))
        copy = convolve(light, disc(place * radius)) if place else light
        result += weight.clamp_min(0) * copy
    return result


def disc(radius: float) -> Tensor:
    """(k, k), sums to one: an antialiased disc, its radius in pixels; a single pixel below half a pixel."""
    reach = max(1, math.ceil(radius))
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = (radius + 0.5 - torch.hypot(axis[:, None], axis[None, :])).clamp(0, 1)
    return kernel / kernel.sum()
