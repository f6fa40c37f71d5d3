"""Generalised Gaussian blur: from heavy tails to a nearly flat disc."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import convolve
from undegrade.degradations.kernels import elliptic_kernel
from undegrade.degradations.light import to_display, to_linear

FAINTEST = 0.002  # of the kernel's peak; below it the tail is cut off


@dataclass(frozen=True, kw_only=True)
class GeneralisedGaussianBlur(Degradation):
    """The blur that learned super-resolution meets: y = display(k * linear(x)), k(p) = exp(-0.5 * (r^2)^shape).

    r is the radius in units of sigma, on an ellipse turned at random. Shape 1 is a Gaussian; below, the tails grow
    heavy, as with flare and diffusion filters; above, it nears the disc of a lens out of focus. Wang et al.,
    "Real-ESRGAN", 2021, after Liu et al., "Estimating Generalized Gaussian Blur Kernels for Out-of-Focus Image
    Deblurring", 2020.
    """

    label = "generalised_gaussian_blur"
    family = "blur"
    sigma: tuple[float, float] = severity(0.8, 2, "scale along the short axis, pixels", limits=(0.1, 30), log=True)
    ratio: tuple[float, float] = severity(1, 2, "long axis over short axis (1 is round)", limits=(1, 20), log=True)
    shape: tuple[float, float] = severity(
        0.6,
        4,
        "shape: 1 is Gaussian, less is heavier-tailed, more is flatter",
        limits=(0.4, 20),
        log=True,
        falling=True,
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, sigma: float, ratio: float, shape: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        turn = uniform(rng, 0, math.pi) if ratio > 1 else 0.0
        kernel = generalised_gaussian(sigma, ratio=ratio, shape=shape, turn=turn)
        return to_display(convolve(to_linear(clean), kernel).clamp(0, 1)).clamp(0, 1)


def generalised_gaussian(sigma: float, *, ratio: float, shape: float, turn: float) -> Tensor:
    """(h, w), sums to one; sigma in pixels, the turn of the long axis from the horizontal in radians."""
    reach = (-2 * math.log(FAINTEST)) ** (0.5 / shape)
    return elliptic_kernel(
        lambda squared: torch.exp(-0.5 * squared**shape), sigma=sigma, ratio=ratio, turn=turn, reach=reach
    )
