"""Bands across the picture: the read-out of the sensor, and light that flickers while it is read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.light import to_display, to_linear

COMMON = 0.7  # share of the variance of a row that all colours have in common
COLUMNS = 0.2  # standard deviation of the column offsets over that of the rows
FLICKER = (0.8, 1.0, 1.2)  # red, green and blue: the phosphors of lamps glow on unequally
MEMORY = 12  # rows over which an offset is remembered


@dataclass(frozen=True, kw_only=True)
class BandingNoise(Degradation):
    """Row and column offsets in linear light: l = linear(x) * (1 + c * flicker * sin(2 * pi * row / T + p)) + r + q.

    r is the offset of a row, correlated with the row before by a random amount and partly coloured; q that of a
    column, 0.2 times as strong. The sine is what a rolling shutter makes of lamps on mains current, c (near 1) its
    strength by colour, T between 24 and 400 rows. One picture in four was taken with the camera upright: rows are
    columns.
    """

    label = "banding_noise"
    family = "noise"
    sigma: tuple[float, float] = severity(
        1e-3, 1.5e-2, "standard deviation of the row offsets, linear light", limits=(1e-6, 0.5), log=True
    )
    flicker: tuple[float, float] = severity(0, 0.25, "amplitude of the flicker, share of the light", limits=(0, 0.8))

    def apply(self, clean: Tensor, rng: torch.Generator, *, sigma: float, flicker: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        upright = uniform(rng, 0, 1) < 0.25
        light = to_linear(clean.transpose(-1, -2) if upright else clean)
        *batch, _, height, width = light.shape
        rows = correlated_offsets((*batch, 3, height), rng)[..., None]
        columns = COLUMNS * torch.randn((*batch, 1, 1, width), generator=rng)
        period = math.exp(uniform(rng, math.log(24), math.log(400)))
        phase = 2 * math.pi * torch.rand((*batch, 1, 1, 1), generator=rng)
        wave = torch.sin(2 * math.pi / period * torch.arange(height)[:, None] + phase)
        lamp = 1 + flicker * torch.tensor(FLICKER)[:, None, None] * wave
        banded = to_display((light * lamp + sigma * (rows + columns)).clamp(0, 1)).clamp(0, 1)
        return banded.transpose(-1, -2) if upright else banded


def correlated_offsets(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Offsets (..., 3, rows) of unit variance; o_i = sum over k of rho^k * e_(i - k), rho from [0, 0.8)."""
    *batch, colours, rows = shape
    weights = uniform(rng, 0, 0.8) ** torch.arange(MEMORY)
    weights = weights / weights.norm()
    common = torch.randn((math.prod(batch), 1, rows + MEMORY - 1), generator=rng)
    own = torch.randn((math.prod(batch), colours, rows + MEMORY - 1), generator=rng)
    fresh = math.sqrt(COMMON) * common + math.sqrt(1 - COMMON) * own
    return F.conv1d(fresh.reshape(-1, 1, rows + MEMORY - 1), weights[None, None]).reshape(shape)
