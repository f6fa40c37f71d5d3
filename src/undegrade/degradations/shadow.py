"""Shadows cast into the scene."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import smooth_field
from undegrade.degradations.light import to_display, to_linear

SAMPLES = 256  # points a side from which the share in shadow is judged


@dataclass(frozen=True, kw_only=True)
class Shadow(Degradation):
    """Soft shadows of things outside the picture: y = display(linear(x) * (1 - m * (1 - a_c))), m the mask in [0, 1].

    a = 2 ** (-stops * (1 + b, 1, 1 - b)), b random up to 0.15: what is left is light of the sky, which is bluer.
    The shadow is a polygon or a blotch, as of a house or of leaves. Where m = 0 the picture is untouched.
    """

    label = "shadow"
    family = "light"
    stops: tuple[float, float] = severity(0.5, 2.5, "exposure steps from light to full shadow", limits=(0, 8))
    cover: tuple[float, float] = severity(0.15, 0.6, "share of the picture in shadow", limits=(0.01, 0.99))

    def apply(self, clean: Tensor, rng: torch.Generator, *, stops: float, cover: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        return self.apply_with_mask(clean, rng, stops=stops, cover=cover)[0]

    def apply_with_mask(
        self, clean: Tensor, rng: torch.Generator, *, stops: float, cover: float
    ) -> tuple[Tensor, Tensor]:
        """The shadowed picture and its mask (..., 1, H, W): 0 in the light, 1 in full shadow."""
        mask = shadow_mask((*clean.shape[:-3], 1, *clean.shape[-2:]), rng, cover=cover)
        bluer = uniform(rng, 0, 0.15)
        left = torch.exp2(-stops * torch.tensor((1 + bluer, 1, 1 - bluer)))[:, None, None]
        dark = to_display(to_linear(clean) * (1 - mask * (1 - left))).clamp(0, 1)
        return torch.where(mask > 0, dark, clean), mask


def shadow_mask(shape: tuple[int, ...], rng: torch.Generator, *, cover: float) -> Tensor:
    """A random mask (..., 1, H, W): 0 in the light, 1 in full shadow, above 1/2 in a share `cover` of the pixels.

    The penumbra is between 1 pixel and a tenth of the side wide, and up to four times wider in one part of the
    picture than in another, as the thing that casts it is nearer or farther.
    """
    side = min(shape[-2:])
    inside = polygon(shape, rng) if uniform(rng, 0, 1) < 0.5 else blotch(shape, rng)
    step = math.ceil(max(shape[-2:]) / SAMPLES)
    sampled = inside[..., ::step, ::step].flatten(-2)
    rank = min(max(round((1 - cover) * sampled.shape[-1]), 1), sampled.shape[-1])
    level = sampled.kthvalue(rank, dim=-1).values[..., None, None]
    penumbra = math.exp(uniform(rng, math.log(0.01), math.log(0.1))) * side
    width = (penumbra * 4 ** (smooth_field(shape, rng, 1) - 0.5)).clamp_min(1)
    depth = ((inside - level) / width + 0.5).clamp(0, 1)
    return depth * depth * (3 - 2 * depth)


def polygon(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """(..., H, W): pixels to the nearest side of a convex polygon, positive within; it may reach beyond the picture."""
    *batch, height, width = shape
    corners = int(torch.randint(2, 7, (), generator=rng))
    turn = torch.rand((*batch, 1, 1, 1), generator=rng) + 0.6 * torch.rand((*batch, corners, 1, 1), generator=rng)
    angle = 2 * math.pi * (turn + torch.arange(corners)[:, None, None]) / corners
    away = min(height, width) * (0.1 + 0.5 * torch.rand((*batch, corners, 1, 1), generator=rng))
    centre = torch.rand((2, *batch, 1, 1, 1), generator=rng)
    y = torch.arange(height)[:, None] - centre[0] * height
    x = torch.arange(width)[None, :] - centre[1] * width
    return (away - x * torch.cos(angle) - y * torch.sin(angle)).amin(-3)


def blotch(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """(..., H, W): a random hilly field, coarse and fine, whose slope is about one a pixel."""
    cells = int(torch.randint(2, 9, (), generator=rng))
    hills = smooth_field(shape, rng, cells) + 0.35 * smooth_field(shape, rng, 3 * cells)
    return hills * min(shape[-2:]) / (2 * cells)
