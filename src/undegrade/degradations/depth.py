"""Depth maps: how far each pixel of a picture is, or might be."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import uniform
from undegrade.degradations.convolution import smooth_field

SKETCH = 96  # pixels, the longest side of the map on which things are laid out; they are then enlarged
EDGE = 250.0  # how sharp their outlines are: blurred over about a fiftieth of the picture


def scene_depth(clean: Tensor, rng: torch.Generator, depth: Tensor | None) -> Tensor:
    """(..., 1, H, W) of the pictures (..., 3, H, W): the map that is given, or a random one.

    The random one is drawn in both cases, so that everything that is drawn after it is the same.
    """
    shape = (*clean.shape[:-3], 1, *clean.shape[-2:])
    drawn = random_depth(shape, rng)
    return drawn if depth is None else depth.expand(shape)


def random_depth(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """A plausible depth map (..., 1, H, W) in [0.2, 1], 1 the farthest point.

    A ground that slopes away, hills of two sizes, things that stand at distances of their own, and a little texture.
    """
    height = shape[-2]
    slope = torch.linspace(1, 0, height)[:, None] * uniform(rng, 0.2, 1)
    hills = smooth_field(shape, rng, 2) + 0.4 * smooth_field(shape, rng, 6)
    depth = slope + hills * uniform(rng, 0.2, 0.8)
    depth = depth + things(shape, rng) * uniform(rng, 0, 0.5) + 0.05 * smooth_field(shape, rng, 24)
    low, high = depth.amin((-2, -1), keepdim=True), depth.amax((-2, -1), keepdim=True)
    return 0.2 + 0.8 * (depth - low) / (high - low).clamp_min(1e-6)


def things(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """(..., 1, H, W) in [0, 1]: pieces with bent outlines, each at one distance; a Voronoi diagram of bent space."""
    *batch, height, width = shape
    count, scale = math.prod(batch), min(1.0, SKETCH / max(height, width))
    rows, columns = max(2, round(height * scale)), max(2, round(width * scale))
    number = 4 + int(torch.randint(6, (), generator=rng))
    sites = torch.rand((number, 2, count, 1, 1), generator=rng)
    # What stands higher in the picture is likelier to be far.
    distances = 0.5 * torch.rand((number, count, 1, 1), generator=rng) + 0.5 * (1 - sites[:, 0])
    bent = 0.3 * (smooth_field((2, count, rows, columns), rng, 4) - 0.5)
    down = torch.linspace(0, 1, rows)[:, None] + bent[0]
    across = torch.linspace(0, 1, columns) + bent[1]
    apart = (down - sites[:, 0]) ** 2 + (across - sites[:, 1]) ** 2
    sketch = (torch.softmax(-EDGE * apart, 0) * distances).sum(0)
    return F.interpolate(sketch[:, None], (height, width), mode="bilinear").reshape(shape)
