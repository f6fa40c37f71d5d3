"""Plateau blur: flat in the middle, with a long soft foot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import convolve
from undegrade.degradations.kernels import elliptic_kernel
from undegrade.degradations.light import to_display, to_linear

FAINTEST = 0.02  # of the kernel's peak; below it the foot, which falls only as a power of r, is cut off


@dataclass(frozen=True, kw_only=True)
class PlateauBlur(Degradation):
    """A flat-topped blur with a soft glow around it: y = display(k * linear(x)), k(p) = 1 / (1 + (r^2)^shape).

    r is the radius in units of sigma, on an ellipse turned at random, so that k is half its peak at r = 1 whatever
    the shape. Wang et al., "Real-ESRGAN", 2021; shape 1 is the Lorentzian of aureoles around lights.
    """

    label = "plateau_blur"
    family = "blur"
    sigma: tuple[float, float] = severity(
        0.7, 2, "radius at half the peak, along the short axis, pixels", limits=(0.1, 30), log=True
    )
    ratio: tuple[float, float] = severity(1, 2, "long axis over short axis (1 is round)", limits=(1, 20), log=True)
    shape: tuple[float, float] = severity(
        1, 4, "shape: 1 has the longest foot, more is a flatter disc", limits=(0.8, 20), log=True, falling=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, sigma: float, ratio: float, shape: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        turn = uniform(rng, 0, math.pi) if ratio > 1 else 0.0
        kernel = plateau(sigma, ratio=ratio, shape=shape, turn=turn)
        return to_display(convolve(to_linear(clean), kernel).clamp(0, 1)).clamp(0, 1)


def plateau(sigma: float, *, ratio: float, shape: float, turn: float) -> Tensor:
    """(h, w), sums to one; sigma in pixels, the turn of the long axis from the horizontal in radians."""
    reach = (1 / FAINTEST - 1) ** (0.5 / shape)
    return elliptic_kernel(lambda squared: 1 / (1 + squared**shape), sigma=sigma, ratio=ratio, turn=turn, reach=reach)
