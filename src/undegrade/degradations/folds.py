"""Creases of a print that was folded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.roughness import rough_field


@dataclass(frozen=True, kw_only=True)
class Folds(Degradation):
    """Straight creases: y = x * (1 + s * sign(d) * exp(-|d| / reach)) * (1 - m) + paper * m.

    d is the distance from the crease in pixels; the bent paper takes more light on one side and less on the other by
    s. m in [0, 1] is the emulsion that broke off along it: |d| < width / 2 with a rough edge and flakes beside it.
    """

    label = "folds"
    family = "damage"
    count: tuple[float, float] = severity(1, 4, "creases", limits=(0, 50), whole=True)
    width: tuple[float, float] = severity(1, 4.5, "of the broken line, pixels", limits=(0.3, 100), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, count: float, width: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same creases on all pictures of a batch."""
        size = rows, columns = clean.shape[-2], clean.shape[-1]
        rough = rough_field(rows, columns, rng, 3 + 2 * width)
        slow = rough_field(rows, columns, rng, 0.3 * max(size), octaves=2)
        paper = torch.tensor([1, uniform(rng, 0.95, 1), uniform(rng, 0.85, 0.97)])[:, None, None]
        paper = (paper * (uniform(rng, 0.85, 0.96) + 0.025 * rough)).clamp(0, 1)
        out = clean
        for _ in range(int(count)):
            distance = _distance(rows, columns, rng) + 0.3 * slow
            shade, mask = crease(distance, width * (0.8 + 0.3 * slow).clamp(0.3, 1.4), rough, rng)
            out = (out * shade).clamp(0, 1) * (1 - mask) + paper * mask
        return out.clone() if out is clean else out


def _distance(height: int, width: int, rng: torch.Generator) -> Tensor:
    """(H, W): signed distance in pixels from a line that is nearly level or upright, or now and then slanted."""
    tilt = uniform(rng, -45, 45) if uniform(rng, 0, 1) < 0.25 else uniform(rng, -4, 4)
    angle = math.radians(tilt + 90 * int(torch.randint(4, (), generator=rng)))
    y = torch.arange(height)[:, None] - height * uniform(rng, 0.15, 0.85)
    x = torch.arange(width)[None, :] - width * uniform(rng, 0.15, 0.85)
    return y * math.cos(angle) + x * math.sin(angle)


def crease(distance: Tensor, width: Tensor, rough: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """What the light on the picture is multiplied with, and the share of it that broke off; both (H, W).

    `width` (H, W) is that of the broken line in pixels, `rough` what frays it.
    """
    strength = uniform(rng, 0.12, 0.35)
    reach = uniform(rng, 2, 6) * width.mean().item() + 3
    beside = distance.abs()
    shade = 1 + strength * distance / (beside + 1) * torch.exp(-beside / reach)
    # The edge wavers a little; where the roughness is high a chip came off beside the line.
    chips = 1.6 * (rough - 0.9).clamp_min(0)
    inside = width / 2 * (1 + 0.35 * rough + chips) - beside
    hairline = 0.7 * (0.9 - beside).clamp(0, 1)
    return shade, torch.maximum((inside + 0.5).clamp(0, 1), hairline)
