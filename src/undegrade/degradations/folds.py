"""Creases of a print that was folded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.roughness import rough_field

CRACKED = 2.2  # how far from the crease the emulsion is cracked, in widths of the broken line


@dataclass(frozen=True, kw_only=True)
class Folds(Degradation):
    """Straight creases: y = x(p + s) * (1 + b * sign(d) * exp(-|d| / reach)) * (1 - m) + paper * m.

    d is the distance from the crease in pixels. The halves no longer lie flush: s, which falls off with |d|, moves what
    is beside the crease along and across it, to other sides on its two sides, by up to about half its width. The bent
    paper takes more light on one side and less on the other by b. m in [0, 1] is the emulsion that broke off along it:
    |d| < width / 2 with a frayed edge, bridged where it held, and cracks and flakes beside it.
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
        paper = (paper * (uniform(rng, 0.8, 0.94) + 0.03 * rough)).clamp(0, 1)
        shade, kept, moved = torch.ones(size), torch.ones(size), torch.zeros(2, *size)
        for _ in range(int(count)):
            straight, across = _distance(rows, columns, rng)
            distance = straight + 0.3 * slow
            light, mask = crease(distance, width * (0.8 + 0.3 * slow).clamp(0.3, 1.4), rough, rng)
            shade, kept = shade * light, kept * (1 - mask)
            moved += _offset(distance, across, width, rng)
        if not int(count):
            return clean.clone()
        return ((displace(clean, moved) * shade).clamp(0, 1) * kept + paper * (1 - kept)).clamp(0, 1)


def _distance(height: int, width: int, rng: torch.Generator) -> tuple[Tensor, tuple[float, float]]:
    """(H, W): signed distance in pixels from a line that is nearly level or upright, or now and then slanted.

    And the direction (y, x) in which it grows.
    """
    tilt = uniform(rng, -45, 45) if uniform(rng, 0, 1) < 0.25 else uniform(rng, -4, 4)
    angle = math.radians(tilt + 90 * int(torch.randint(4, (), generator=rng)))
    y = torch.arange(height)[:, None] - height * uniform(rng, 0.15, 0.85)
    x = torch.arange(width)[None, :] - width * uniform(rng, 0.15, 0.85)
    return y * math.cos(angle) + x * math.sin(angle), (math.cos(angle), math.sin(angle))


def _offset(distance: Tensor, across: tuple[float, float], width: float, rng: torch.Generator) -> Tensor:
    """(2, H, W): how far beside the crease the picture is displaced, pixels down and to the right.

    The halves are pulled a little apart or pushed together, and slip along the crease; a few widths away it is gone.
    """
    reach = uniform(rng, 3, 8) * width + 6
    apart, along = uniform(rng, -0.3, 0.5) * width, uniform(rng, -0.5, 0.5) * width
    # From one side to the other within the broken line, so that nothing is torn outside of it.
    side = (distance / width).clamp(-0.5, 0.5) * torch.exp(-distance.abs() / reach)
    down, right = across
    return torch.stack((side * (apart * down - along * right), side * (apart * right + along * down)))


def displace(image: Tensor, offset: Tensor) -> Tensor:
    """(..., 3, H, W) read at p + offset(p); `offset` (2, H, W), pixels down and to the right; untouched where it is 0.

    Bilinear, the border is carried on.
    """
    height, width = image.shape[-2:]
    y, x = torch.arange(height)[:, None] + offset[0], torch.arange(width) + offset[1]
    grid = torch.stack((2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1), -1)[None]
    flat = image.reshape(1, -1, height, width)
    moved = F.grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return torch.where(offset.abs().amax(0) < 0.02, image, moved.reshape(image.shape))


def crease(distance: Tensor, width: Tensor, rough: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """What the light on the picture is multiplied with, and the share of it that broke off; both (H, W).

    `width` (H, W) is that of the broken line in pixels, `rough` what frays it.
    """
    strength = uniform(rng, 0.12, 0.35)
    reach = uniform(rng, 2, 6) * width.mean().item() + 3
    beside = distance.abs()
    shade = 1 + strength * distance / (beside + 1) * torch.exp(-beside / reach)
    # The edge wavers; where the roughness is high a chip came off beside the line, where it is low the layer held.
    chips = 1.6 * (rough - 0.9).clamp_min(0)
    inside = width / 2 * (1 + 0.35 * rough + chips) - beside
    hairline = 0.7 * (0.9 - beside).clamp(0, 1)
    # Cracks: thin lines where another level of the roughness is crossed, the fewer the farther from the crease.
    near = (1 - beside / (CRACKED * width)).clamp_min(0)
    cracks = 0.8 * near * (1 - (rough + 0.4).abs() / 0.12).clamp_min(0)
    return shade, torch.maximum((inside + 0.5).clamp(0, 1), torch.maximum(hairline, cracks))
