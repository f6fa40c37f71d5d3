"""Stains of tea, coffee and damp on a print."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.roughness import rough_field

CUP_SHARE = 0.25  # of the stains, the share that are rings of a cup's foot


@dataclass(frozen=True, kw_only=True)
class Stains(Degradation):
    """A brown dye lies on the paper: y = x * exp(-density * a_c * m), a = (about 0.3, 0.6, 1) for red, green, blue.

    m in [0, 2] is a blotch, or a cup's ring, with an irregular outline and a darker rim, which falls off inwards as
    exp(-f / rim), f the distance from the outline: a drop dries at its edge first and carries the dye there (Deegan
    et al., "Capillary flow as the cause of ring stains from dried liquid drops", 1997).
    """

    label = "stains"
    family = "damage"
    share: tuple[float, float] = severity(0.05, 0.5, "of the picture, about", limits=(0.001, 2), log=True)
    density: tuple[float, float] = severity(0.4, 1.6, "absorbance of the rim in blue light", limits=(0, 10), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, share: float, density: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same stains on all pictures of a batch."""
        absorption = torch.tensor([uniform(rng, 0.2, 0.4), uniform(rng, 0.5, 0.7), 1.0])
        height, width = clean.shape[-2:]
        dye = draw_dye(height, width, share, rng)
        return clean * torch.exp(-density * absorption[:, None, None] * dye)


def draw_dye(height: int, width: int, share: float, rng: torch.Generator) -> Tensor:
    """(H, W) in [0, 2]: how much dye lies where; 1 is a usual rim."""
    number = int(torch.randint(1, 6, (), generator=rng))
    parts = 0.2 + torch.rand(number, generator=rng)
    radii = (share * height * width * parts / parts.sum() / math.pi).sqrt().tolist()
    outline = rough_field(height, width, rng, 1 + 0.9 * max(radii))
    clouds = rough_field(height, width, rng, 1 + 0.5 * max(radii), octaves=3)
    dye = torch.zeros(height, width)
    for radius in radii:
        y = torch.arange(height)[:, None] - uniform(rng, 0, height)
        x = torch.arange(width)[None, :] - uniform(rng, 0, width)
        stretch = uniform(rng, 0.8, 1.25)
        distance = torch.hypot(y * stretch, x / stretch)
        if uniform(rng, 0, 1) < CUP_SHARE:
            # A ring of the same area that is a tenth as wide as its radius, and not equally wide all round.
            far = radius / math.sqrt(0.4)
            inside = 0.1 * far * (1 + 0.8 * outline) - (torch.hypot(y, x) - far).abs()
        else:
            inside = radius * (1 + 0.22 * outline) - distance
        dye += uniform(rng, 0.5, 1) * _dried(inside, 1 + uniform(rng, 0.02, 0.08) * radius, clouds)
    return dye.clamp(0, 2)


def _dried(inside: Tensor, rim: float, clouds: Tensor) -> Tensor:
    """(H, W): dye by the distance from the outline in pixels, `rim` the depth of the dark seam."""
    body = 0.4 * (1 + 0.35 * clouds).clamp(0.2, 2)
    return (inside / 2 + 0.5).clamp(0, 1) * (body + 0.6 * torch.exp(-inside.clamp_min(0) / rim))
