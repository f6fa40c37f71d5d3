"""Gaussian blur, round or stretched."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import convolve
from undegrade.degradations.kernels import elliptic_kernel
from undegrade.degradations.light import to_display, to_linear

REACH = 3.5  # standard deviations; beyond lie 0.2 % of the light


@dataclass(frozen=True, kw_only=True)
class GaussianBlur(Degradation):
    """Softness of a lens, of turbulent air, of many small shakes: y = display(k * linear(x)).

    k(p) = exp(-0.5 * r^2), r^2 = (along / (ratio * sigma))^2 + (across / sigma)^2, the long axis turned at random.
    """

    label = "gaussian_blur"
    family = "blur"
    sigma: tuple[float, float] = severity(
        0.5, 3, "standard deviation along the short axis, pixels", limits=(0.1, 50), log=True
    )
    ratio: tuple[float, float] = severity(1, 2, "long axis over short axis (1 is round)", limits=(1, 20), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, sigma: float, ratio: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        kernel = stretched_gaussian(sigma, ratio=ratio, turn=uniform(rng, 0, math.pi) if ratio > 1 else 0.0)
        return to_display(convolve(to_linear(clean), kernel).clamp(0, 1)).clamp(0, 1)


def stretched_gaussian(sigma: float, *, ratio: float, turn: float) -> Tensor:
    """(h, w), sums to one; standard deviations in pixels, the turn of the long axis from the horizontal in radians."""
    return elliptic_kernel(lambda squared: torch.exp(-0.5 * squared), sigma=sigma, ratio=ratio, turn=turn, reach=REACH)
