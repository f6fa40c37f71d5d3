"""Pictures smeared by a motion about a point while the shutter is open."""

from __future__ import annotations

import cmath
import math

import torch
import torch.nn.functional as F
from torch import Tensor

OUTWARDS, AROUND = 1 + 0j, 1j  # ways of the motion: every point moves along `way` times its place seen from the centre


def sweep(light: Tensor, *, way: complex, centre: tuple[float, float], length: float) -> Tensor:
    """(..., H, W) averaged over the motion p(t) = c + exp(way * t) * (p - c), places taken as complex numbers x + iy.

    t runs evenly over an interval around zero, so that the picture stays where it was.

    Args:
        light: linear light.
        way: `OUTWARDS` zooms, `AROUND` turns.
        centre: (y, x) of c, pixels from the top left pixel.
        length: of the path of the corner furthest from c, pixels; all others are shorter.
    """
    height, width = light.shape[-2:]
    y, x = (torch.arange(n, dtype=torch.float32) - c for n, c in zip((height, width), centre, strict=True))
    furthest = math.hypot(float(y.abs().max()), float(x.abs().max()))
    # Steps of at most one pixel leave no separate copies. Motions of one kind add up, so many steps are made as an
    # average of averages, n of them with only about 2 * sqrt(n) warps.
    num_steps = math.ceil(length) + 1
    fine = math.ceil(math.sqrt(num_steps)) if num_steps > 4 else num_steps
    coarse = math.ceil(num_steps / fine)
    step = length / furthest / (fine * coarse)
    place = torch.complex(x[None, :].expand(height, width), y[:, None].expand(height, width))
    flat = light.reshape(1, -1, height, width)  # as channels: all share one grid
    # Bilinear samples soften, which short streaks would show; after the first average there is less left to soften.
    for count, stride, mode in ((fine, step, "bicubic"), (coarse, step * fine, "bilinear")):
        moments = [(i - (count - 1) / 2) * stride for i in range(count)]
        warped = [_sample(flat, place * cmath.exp(-way * t), centre, mode) if t else flat for t in moments]
        flat = sum(warped[1:], warped[0]) / count
    return flat.reshape(light.shape)


def _sample(flat: Tensor, place: Tensor, centre: tuple[float, float], mode: str) -> Tensor:
    """(1, C, H, W) at complex places seen from the centre; the picture is mirrored beyond its border."""
    height, width = flat.shape[-2:]
    x = (place.real + centre[1]) * (2 / max(width - 1, 1)) - 1
    y = (place.imag + centre[0]) * (2 / max(height - 1, 1)) - 1
    grid = torch.stack((x, y), -1)[None]
    return F.grid_sample(flat, grid, mode=mode, padding_mode="reflection", align_corners=True)
