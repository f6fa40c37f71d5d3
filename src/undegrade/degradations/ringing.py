"""Ringing: echoes along edges, left by a sharp low-pass filter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.degradations.convolution import convolve

NUM_ECHOES = 6  # the kernel ends at this zero of J1


@dataclass(frozen=True, kw_only=True)
class Ringing(Degradation):
    """Every frequency above a cut-off is gone, and edges overshoot and ripple: y = clip(k * x).

    k(r) = w / (2 * pi * r) * J1(w * r) * cos(pi / 2 * r / R) with w = pi * cutoff radians a pixel: the circular sinc
    kernel of Wang et al., "Real-ESRGAN", 2021, with a fading to zero at R, without which what is kept would be
    amplified by up to a third. In display values, as scalers and sharpeners work.
    """

    label = "ringing"
    family = "blur"
    random = False
    cutoff: tuple[float, float] = severity(
        0.2, 0.8, "highest frequency kept, share of the highest there is", limits=(0.05, 1), log=True, falling=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, cutoff: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range. Draws nothing from `rng`."""
        return convolve(clean, circular_sinc(math.pi * cutoff)).clamp(0, 1)


def circular_sinc(cutoff: float) -> Tensor:
    """(k, k), sums to one: the kernel that keeps all frequencies below `cutoff`, radians a pixel."""
    end = (NUM_ECHOES + 0.25) * math.pi / cutoff  # the zeros of J1 lie close to (n + 1/4) * pi
    radius = math.ceil(end)
    axis = torch.arange(-radius, radius + 1, dtype=torch.float32)
    distance = torch.hypot(axis[:, None], axis[None, :])
    distance[radius, radius] = 1  # any but zero; the limit is put in below
    waves: Tensor = torch.special.bessel_j1(cutoff * distance)
    kernel = waves * cutoff / (2 * math.pi * distance)
    kernel *= torch.cos(math.pi / 2 * (distance / end).clamp_max(1))
    kernel[radius, radius] = cutoff**2 / (4 * math.pi)
    return kernel / kernel.sum()
