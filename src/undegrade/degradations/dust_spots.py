"""Dust, specks, hairs and fibres on a scanned print or negative."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform

GRAINS = 4  # discs of which one irregular speck consists
SOFTNESS = 1.6  # pixels over which an edge fades: the scanner does not quite focus on the dust
AT_ONCE = 4096  # discs drawn in one go, which bounds the memory


@dataclass(frozen=True, kw_only=True)
class DustSpots(Degradation):
    """Specks, hairs and fibres that lay on the glass: y = x * (1 - m) + c * m, for the white ones, then the black ones.

    Dust on a negative hides light and prints white; on a slide it is black: mostly one of the two prevails. m in [0, 1]
    has soft edges. Diameters are log-normal, as those of settled dust are; up to a sixth are curved hairs.
    """

    label = "dust_spots"
    family = "damage"
    density: tuple[float, float] = severity(3, 40, "specks in 10000 pixels", limits=(0.01, 500), log=True)
    size: tuple[float, float] = severity(1, 2.8, "median diameter of a speck, pixels", limits=(0.5, 50), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, density: float, size: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same dust on all pictures of a batch."""
        height, width = clean.shape[-2:]
        black_share = (0.04, 0.96, 0.4)[int(torch.randint(3, (), generator=rng))]
        colours = (uniform(rng, 0.88, 1), uniform(rng, 0, 0.12))
        num_hairs = round(density * height * width / 10000 * uniform(rng, 0, 1 / 6))
        num_specks = max(1, round(density * height * width / 10000) - num_hairs)
        out = clean.clone()
        drawn = [_specks(num_specks, size, rng), _hairs(num_hairs, size, rng)]
        for discs in drawn:
            discs[..., :2] += torch.rand(len(discs), 1, 2, generator=rng) * torch.tensor([height, width])
        black = [torch.rand(len(discs), generator=rng) < black_share for discs in drawn]
        for kind, colour in enumerate(colours):
            mask = torch.zeros(height, width)
            for discs, which in zip(drawn, black, strict=True):
                stamp(mask, discs[which == bool(kind)].reshape(-1, 4))
            if mask.any():
                out = out * (1 - mask) + colour * mask
        return out


def _specks(number: int, size: float, rng: torch.Generator) -> Tensor:
    """(number, GRAINS, 4): y and x from the middle of the speck, radius, opacity of the discs that make it up."""
    radius = size / 2 * torch.exp(0.6 * torch.randn(number, 1, 1, generator=rng)).clamp_max(4)
    # Strung out along one direction of the speck, and a little to the sides of it.
    axis = torch.randn(number, 1, 2, generator=rng)
    place = radius * 0.35 * axis * torch.randn(number, GRAINS, 1, generator=rng)
    place += radius * 0.2 * torch.randn(number, GRAINS, 2, generator=rng)
    radii = radius * (0.3 + 0.5 * torch.rand(number, GRAINS, 1, generator=rng))
    opacity = (0.55 + 0.45 * torch.rand(number, 1, 1, generator=rng)).expand_as(radii)
    return torch.cat((place, radii, opacity), 2)


def _hairs(number: int, size: float, rng: torch.Generator) -> Tensor:
    """(number, steps, 4), as for specks: discs not over half a pixel apart along lines whose bend itself wanders."""
    length = size * (5 + 13 * torch.rand(number, 1, generator=rng))
    steps = math.ceil(2 * size * 18)
    along = torch.linspace(0, 1, steps)
    turn, bend, wave = (torch.randn(number, 1, generator=rng) for _ in range(3))
    heading = 2 * math.pi * turn + 1.3 * bend * along + 0.8 * wave * torch.sin(5 * along + 3 * bend)
    stride = length / steps
    place = torch.stack(((heading.sin() * stride).cumsum(1), (heading.cos() * stride).cumsum(1)), 2)
    radii = (size * (0.1 + 0.08 * torch.rand(number, 1, generator=rng))).clamp_min(0.4).expand(number, steps)
    opacity = (0.5 + 0.4 * torch.rand(number, 1, generator=rng)).expand(number, steps)
    return torch.cat((place, radii[..., None], opacity[..., None]), 2)


def stamp(mask: Tensor, discs: Tensor) -> None:
    """Raise `mask` (H, W) to the opacity within each soft disc (y, x, radius, opacity); those centred outside are left.

    A disc that is smaller than a pixel is not dropped but pale.
    """
    height, width = mask.shape
    inside = (discs[:, 0] >= 0) & (discs[:, 0] < height) & (discs[:, 1] >= 0) & (discs[:, 1] < width)
    for part in torch.split(discs[inside], AT_ONCE) if inside.any() else ():
        y, x, radius, opacity = part[:, :, None, None].unbind(1)
        reach = math.ceil(radius.max().item() + SOFTNESS)
        box = torch.arange(-reach, reach + 1)
        rows, columns = y.long() + box[:, None], x.long() + box[None, :]
        distance = torch.hypot(rows + 0.5 - y, columns + 0.5 - x)
        cover = ((radius - distance) / SOFTNESS + 0.5).clamp(0, 1)
        value = (opacity * cover * cover * (3 - 2 * cover)).reshape(-1)
        # What falls beside the picture is drawn with no opacity at its border.
        value *= ((rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)).reshape(-1)
        index = (rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)).reshape(-1)
        mask.view(-1).scatter_reduce_(0, index, value, "amax")
