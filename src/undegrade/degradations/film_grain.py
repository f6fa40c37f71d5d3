"""The grain of photographic film."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity

COLOUR = 0.25  # strength of the grain of each dye layer over that of the grain which all layers share


@dataclass(frozen=True, kw_only=True)
class FilmGrain(Degradation):
    """Clumps of silver or dye: y = clip(x + sigma / 255 * sqrt(4 * x * (1 - x)) * g), g ~ N(0, 1), correlated.

    The correlation of g falls as exp(-(d / size) ** 2) with the distance d (faster where size is below 1.5). Grains
    that cover the share 1 - x of the film have a variance in proportion to x * (1 - x): Newson et al., "A Stochastic
    Film Grain Model for Resolution-Independent Rendering", 2017. Layers share most of g:
    g_c = (l + 0.25 * n_c) / sqrt(1 + 0.25 ** 2).
    """

    label = "film_grain"
    family = "noise"
    sigma: tuple[float, float] = severity(
        4, 30, "standard deviation in the mid tones, 8-bit levels", limits=(0, 255), log=True
    )
    size: tuple[float, float] = severity(0.7, 2.5, "distance at which the correlation is 1/e, pixels", limits=(0.3, 20))

    def apply(self, clean: Tensor, rng: torch.Generator, *, sigma: float, size: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        *batch, _, height, width = clean.shape
        noise = correlated_noise((math.prod(batch), 4, height, width), rng, size)
        grain = ((noise[:, :1] + COLOUR * noise[:, 1:]) / math.sqrt(1 + COLOUR**2)).reshape(clean.shape)
        return (clean + sigma / 255 * (4 * clean * (1 - clean)).sqrt() * grain).clamp(0, 1)


def correlated_noise(shape: tuple[int, int, int, int], rng: torch.Generator, size: float) -> Tensor:
    """(N, C, H, W) of variance 1, borders included, whose correlation at distance d is exp(-(d / size) ** 2)."""
    number, channels, height, width = shape
    # White noise blurred by a Gaussian of standard deviation s is correlated as exp(-d ** 2 / (4 * s ** 2)).
    sigma = size / 2
    radius = max(1, math.ceil(3 * sigma))
    line = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    line = line / line.square().sum().sqrt()
    white = torch.randn((number * channels, 1, height + 2 * radius, width + 2 * radius), generator=rng)
    return F.conv2d(F.conv2d(white, line[None, None, None]), line[None, None, :, None]).reshape(shape)
