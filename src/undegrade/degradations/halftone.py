"""A picture printed with a raster of dots."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import convolve, gaussian_kernel
from undegrade.degradations.light import to_display, to_linear

ANGLES = (15.0, 75.0, 0.0, 45.0)  # degrees, of cyan, magenta, yellow and black: the classical set, which hides moire
BLACK_SHARE = 0.7  # of the grey in a colour, how much is printed with black instead of the three inks


@dataclass(frozen=True, kw_only=True)
class Halftone(Degradation):
    """Four screens of ink dots: y = display(g * ((1 - d_c) * (1 - d_k))), c cyan, magenta, yellow, k black.

    The dots of an ink cover the share of the paper that the clean picture asks for (Murray and Davies, 1936):
    1 - linear(x) = 1 - (1 - c) * (1 - k), so that seen from afar the colours are right. d = 1 where t(p) < c, t the
    threshold |u| + |v| of diamond dots, made uniform; u, v in the cell, of side `pitch`, of a turned grid. g is the
    slight blur of the scanner. Inks are ideal: each takes one primary only.
    """

    label = "halftone"
    family = "damage"
    pitch: tuple[float, float] = severity(2.5, 6.5, "distance of the dots, pixels", limits=(2, 100), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, pitch: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same screens on all pictures of a batch."""
        inks = separate(to_linear(clean))
        turn = uniform(rng, -5, 5)
        height, width = clean.shape[-2:]
        screens = [screen(height, width, pitch, math.radians(angle + turn), rng) for angle in ANGLES]
        printed = 1 - print_dots(inks, torch.stack(screens), pitch)
        light = printed[..., :3, :, :] * printed[..., 3:, :, :]
        light = convolve(light, gaussian_kernel(0.4 + pitch * uniform(rng, 0.1, 0.18)))
        return to_display(light.clamp(0, 1)).clamp(0, 1)


def separate(light: Tensor) -> Tensor:
    """Linear light (..., 3, H, W) -> coverage (..., 4, H, W) of the inks C, M, Y, K: 1 - light = c + k - c * k."""
    black = BLACK_SHARE * (1 - light.amax(-3, keepdim=True))
    return torch.cat((1 - light / (1 - black), black), -3)


def screen(height: int, width: int, pitch: float, angle: float, rng: torch.Generator) -> Tensor:
    """Thresholds (H, W) in [0, 1], equally frequent, of a grid of diamonds turned by `angle` radians."""
    y = torch.arange(height)[:, None] / pitch
    x = torch.arange(width)[None, :] / pitch
    sin, cos = math.sin(angle), math.cos(angle)
    u = x * cos + y * sin + uniform(rng, 0, 1)
    v = y * cos - x * sin + uniform(rng, 0, 1)
    reach = (u - u.round()).abs() + (v - v.round()).abs()
    # The diamond of that reach covers 2 * reach ** 2 of the cell, until neighbours touch at one half.
    return torch.where(reach < 0.5, 2 * reach**2, 1 - 2 * (1 - reach) ** 2)


def print_dots(coverage: Tensor, thresholds: Tensor, pitch: float) -> Tensor:
    """Ink on each pixel in [0, 1]: edges about a pixel wide, and the mean over the thresholds is `coverage`."""
    steep = max(1.0, pitch / 2)
    half = 0.5 / steep
    # Averaged over all thresholds a ramp of that width gives its own level in the middle, but parabolas at both ends.
    low = (2 * coverage / steep).clamp_min(0).sqrt() - half
    high = 1 + half - (2 * (1 - coverage) / steep).clamp_min(0).sqrt()
    level = torch.where(coverage < half, low, torch.where(coverage > 1 - half, high, coverage))
    return ((level - thresholds) * steep + 0.5).clamp(0, 1)
