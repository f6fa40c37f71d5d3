"""A picture photographed from a screen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.colour_filter import fill
from undegrade.degradations.convolution import smooth_field
from undegrade.degradations.light import to_display, to_linear

RED_OR_BLUE, GREEN = ((1, 2, 1), (2, 4, 2), (1, 2, 1)), ((0, 1, 0), (1, 4, 1), (0, 1, 0))  # bilinear neighbours
UNEVENNESS = 0.02  # departure of the pitch from its mean across the picture: perspective, a screen not quite flat


@dataclass(frozen=True, kw_only=True)
class Moire(Degradation):
    """Screen pixels beat with the camera's: y = display(demosaic((b * linear(x)) . g)), b a slight blur.

    g_c = e * (1 + contrast * (cos(u - 2 pi c / 3) + 0.3 cos(2 (u - 2 pi c / 3)) + 0.3 cos(v))), c = 0, 1, 2 for the
    red, green and blue stripes side by side in a screen pixel; (u, v) / 2 pi are screen pixels across and down, turned
    a little and smoothly warped, so that the bands curve while the picture stays in place. The amplitudes are those
    left by the lens and the area of a camera pixel, so that the grid can be sampled as it is, one colour of a Bayer
    pattern a pixel. With a screen pixel near two camera pixels, the period of red and blue, it folds into broad
    coloured bands, the second harmonic into finer ones. e < 1 spares the highlights.
    """

    label = "moire"
    family = "sensor"
    contrast: tuple[float, float] = severity(0.05, 0.35, "amplitude of the screen's grid, of its mean", limits=(0, 0.6))
    pitch: tuple[float, float] = severity(1.85, 2.1, "camera pixels in a screen pixel", limits=(1, 5))

    def apply(self, clean: Tensor, rng: torch.Generator, *, contrast: float, pitch: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        height, width = clean.shape[-2:]
        across, down = screen_phase(height, width, pitch, rng)
        stripes = across - 2 * math.pi / 3 * torch.arange(3)[:, None, None]
        grid = torch.cos(stripes) + 0.3 * torch.cos(2 * stripes) + 0.3 * torch.cos(down)
        exposure = 1 - 0.5 * contrast
        tap = torch.tensor([0.1, 0.8, 0.1])
        blur = (tap[:, None] * tap).expand(3, 1, 3, 3)
        flat = F.pad(to_linear(clean).reshape(-1, 3, height, width), (1, 1, 1, 1), mode="reflect")
        light = F.conv2d(flat, blur, groups=3) * (exposure * (1 + contrast * grid)).clamp_min(0)
        row, column = (torch.arange(n) + int(torch.randint(0, 2, (), generator=rng)) for n in (height, width))
        even_row, even_column = (row % 2 == 0)[:, None], (column % 2 == 0)[None]
        kept = torch.stack((even_row & even_column, even_row ^ even_column, ~even_row & ~even_column))
        weights = torch.tensor((RED_OR_BLUE, GREEN, RED_OR_BLUE)).float()
        return to_display(fill(light.clamp(0, 1), kept, weights)).clamp(0, 1).reshape(clean.shape)


def screen_phase(height: int, width: int, pitch: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """2 pi times the screen pixels across and down at each camera pixel, (H, W) each."""
    turn, size = math.radians(uniform(rng, -3, 3)), max(height, width)
    x, y = torch.arange(width) - width / 2, (torch.arange(height) - height / 2)[:, None]
    cos, sin = math.cos(turn), math.sin(turn)
    phases = []
    for straight in (x * cos + y * sin, y * cos - x * sin):
        tilt = [uniform(rng, -1, 1) * UNEVENNESS / size for _ in range(3)]  # perspective, to second order
        bent = straight + tilt[0] * x * x + tilt[1] * x * y + tilt[2] * y * y
        bent = bent + UNEVENNESS * 0.25 * size * smooth_field((height, width), rng, 3)
        phases.append(2 * math.pi * (bent / pitch + uniform(rng, 0, 1)))
    return phases[0], phases[1]
