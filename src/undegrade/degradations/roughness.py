"""Random fields with detail at several sizes, from which torn and stained outlines are made."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

FINEST = 1.6  # pixels between the knots of the last octave; below that it would only be pixel noise
DETAIL = 0.55  # weight of an octave relative to the one before, twice as coarse


def rough_field(height: int, width: int, rng: torch.Generator, size: float, *, octaves: int = 5) -> Tensor:
    """A random (H, W) field, mean near 0 and standard deviation near 1, whose largest hills are `size` pixels apart."""
    total, power = torch.zeros(height, width), 0.0
    for octave in range(octaves):
        pitch, weight = size / 2**octave, DETAIL**octave
        if octave and pitch < FINEST:
            break
        pitch = max(pitch, 1.0)
        knots = torch.randn((1, 1, math.ceil(height / pitch) + 3, math.ceil(width / pitch) + 3), generator=rng)
        top, left = (int(v * pitch) for v in torch.rand(2, generator=rng).tolist())
        fine = F.interpolate(knots, scale_factor=pitch, mode="bicubic")[0, 0]
        total += weight * fine[top : top + height, left : left + width]
        power += weight**2
    return total / math.sqrt(0.73 * power)  # the bicubic between random knots keeps 0.73 of their variance


def quantile(field: Tensor, share: float, most: int = 65536) -> float:
    """The value below which that share of the field lies, estimated from at most `most` pixels spread over it."""
    flat = field.reshape(-1)
    some = flat[:: max(1, flat.numel() // most)]
    return torch.kthvalue(some, min(max(1, round(share * some.numel())), some.numel())).values.item()


def edge_distance(field: Tensor, level: float) -> Tensor:
    """How far each pixel lies inside (above 0) or outside (below 0) the contour field = level; (H, W), pixels.

    First order, (field - level) / |gradient|: right near the contour, where an edge has to be smooth.
    """
    slope = torch.hypot(*torch.gradient(field))
    return (field - level) / slope.clamp_min(1e-4)
