"""Torn and peeled patches of a damaged old photograph."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.roughness import edge_distance, quantile, rough_field


@dataclass(frozen=True, kw_only=True)
class MissingEmulsion(Degradation):
    """The picture's layer came off and the paper shows: y = x * (1 - m) + paper * m.

    m in [0, 1] is 1 where a rough random field exceeds the value that leaves just `share` of the picture above it;
    half the time the field rises towards one side, where prints tear first. At the frayed edge of m lies a brownish
    seam of the split paper, and the edge of the picture casts a thin shadow.
    """

    label = "missing_emulsion"
    family = "damage"
    share: tuple[float, float] = severity(0.02, 0.3, "of the picture that is gone", limits=(0, 0.95), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, share: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same patches on all pictures of a batch."""
        height, width = clean.shape[-2:]
        side = max(height, width)
        field = rough_field(height, width, rng, 0.3 * side, octaves=8)
        if uniform(rng, 0, 1) < 0.5:
            field = field + uniform(rng, 0.5, 2) * _towards_a_side(height, width, rng)
        distance = edge_distance(field, quantile(field, 1 - share)) if share else torch.full((height, width), -1.0)
        mask = (distance + 0.5).clamp(0, 1)
        return clean * (1 - mask) + _paper(distance, mask, rng) * mask


def _towards_a_side(height: int, width: int, rng: torch.Generator) -> Tensor:
    """(H, W): 1 at one side of the picture, falling to nothing within about a third of it."""
    ramp = torch.linspace(0, 1, height)[:, None].expand(height, width)
    turns = int(torch.randint(4, (), generator=rng))
    if turns % 2:
        ramp = torch.linspace(0, 1, width)[None, :].expand(height, width)
    return torch.exp(-5 * (ramp if turns < 2 else 1 - ramp))


def _paper(distance: Tensor, mask: Tensor, rng: torch.Generator) -> Tensor:
    """(3, H, W): the colour of the bare paper, which is brown and ragged at the edge and in shadow under it."""
    height, width = mask.shape
    fibres = rough_field(height, width, rng, 4)
    green = uniform(rng, 0.95, 0.985)
    white = torch.tensor([1, green, green - uniform(rng, 0.04, 0.16)]) * uniform(rng, 0.8, 0.96)
    brown = white * torch.tensor([0.86, 0.76, 0.62])
    seam = torch.exp(-distance.clamp_min(0) / uniform(rng, 1.5, 5)) * (0.6 + 0.4 * fibres).clamp(0, 1)
    paper = white[:, None, None] + (brown - white)[:, None, None] * seam
    # Light falls in from the upper left over the edge of the layer, which is about a pixel thick.
    lit = F.pad(mask[None, None], (2, 0, 2, 0), mode="replicate")[0, 0, :height, :width]
    return (paper * (1 + 0.02 * fibres) * (1 - 0.45 * (mask - lit).clamp_min(0))).clamp(0, 1)
