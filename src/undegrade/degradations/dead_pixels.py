"""Dead, stuck and hot pixels, rows and columns of a sensor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.degradations.colour_filter import each_by_itself
from undegrade.degradations.light import to_display, to_linear

# Bilinear interpolation from the nearest samples of a colour in the Bayer pattern RGGB.
GREEN = ((0, 0.25, 0), (0.25, 1, 0.25), (0, 0.25, 0))
RED_OR_BLUE = ((0.25, 0.5, 0.25), (0.5, 1, 0.5), (0.25, 0.5, 0.25))


@dataclass(frozen=True, kw_only=True)
class DeadPixels(Degradation):
    """Single photosites that fail: y = display(linear(x) + B(s' - s)), s the mosaic of linear(x), s' with the defects.

    B is bilinear interpolation of the Bayer mosaic, which makes a green defect a cross and a red or blue one a small
    square. B is linear, and x is taken to be what it makes of s; so all else stays untouched. Half the defects are
    hot (light is added), the others are dead (0) or stuck at some value; a dead row or column reads 0.
    """

    label = "dead_pixels"
    family = "sensor"
    density: tuple[float, float] = severity(100, 8000, "defects in a million pixels", limits=(0, 200000), log=True)
    lines: tuple[float, float] = severity(0, 3, "dead rows and columns", limits=(0, 50), whole=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, density: float, lines: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same defects in all pictures of a batch."""
        height, width = clean.shape[-2:]
        light = to_linear(clean.reshape(-1, 3, height, width))
        mask = bayer_mask(height, width, rng)
        samples = (light * mask).sum(1)
        change = (spoil_samples(samples, rng, density, int(lines)) - samples)[:, None] * mask
        weights = torch.tensor((RED_OR_BLUE, GREEN, RED_OR_BLUE))
        # At the border fewer samples are averaged.
        spread, share = each_by_itself(torch.cat((change, mask[None])), weights).split((len(change), 1))
        hit = spread != 0  # few pixels, all others stay
        spoiled = clean.reshape(light.shape).clone()
        spoiled[hit] = to_display((light + spread / share.clamp_min(0.25))[hit].clamp(0, 1)).clamp(0, 1)
        return spoiled.reshape(clean.shape)


def bayer_mask(height: int, width: int, rng: torch.Generator) -> Tensor:
    """(3, H, W) of 0 and 1: which colour each photosite sees, RGGB shifted at random."""
    down, right = (int(v) for v in torch.randint(0, 2, (2,), generator=rng))
    odd_row = ((torch.arange(height) + down) % 2).bool()[:, None]
    odd_column = ((torch.arange(width) + right) % 2).bool()[None, :]
    return torch.stack((~odd_row & ~odd_column, odd_row ^ odd_column, odd_row & odd_column)).float()


def spoil_samples(samples: Tensor, rng: torch.Generator, density: float, lines: int) -> Tensor:
    """The samples (N, H, W) with defective photosites, at least one where the density is not 0."""
    height, width = samples.shape[-2:]
    number = min(max(1, round(density * height * width / 1e6)), height * width) if density else 0
    where = torch.randperm(height * width, generator=rng)[:number]
    kind, value = torch.rand(2, number, generator=rng)
    flat = samples.flatten(1).clone()
    hot = (flat[:, where] + 0.1 + 0.9 * value).clamp_max(1)
    stuck = torch.where(kind < 0.7, 0.0, value).expand_as(hot)
    flat[:, where] = torch.where(kind < 0.5, hot, stuck)
    spoiled = flat.reshape(samples.shape)
    for upright, place in torch.rand(lines, 2, generator=rng).tolist():
        if upright < 0.7:  # read-out runs down the columns, which fail more often
            spoiled[..., int(place * width)] = 0
        else:
            spoiled[:, int(place * height)] = 0
    return spoiled
