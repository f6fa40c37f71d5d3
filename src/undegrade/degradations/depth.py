"""Random depth maps: how far each pixel of a picture might be."""

from __future__ import annotations

import torch
from torch import Tensor

from undegrade.degradations.base import uniform
from undegrade.degradations.convolution import smooth_field


def random_depth(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """A plausible depth map (..., 1, H, W) in [0.2, 1]: a sloping ground plus hills of two sizes."""
    height = shape[-2]
    slope = torch.linspace(1, 0, height)[:, None] * uniform(rng, 0.2, 1)
    hills = smooth_field(shape, rng, 2) + 0.4 * smooth_field(shape, rng, 6)
    depth = slope + hills * uniform(rng, 0.2, 0.8)
    low, high = depth.amin((-2, -1), keepdim=True), depth.amax((-2, -1), keepdim=True)
    return 0.2 + 0.8 * (depth - low) / (high - low).clamp_min(1e-6)
