"""A lens that draws each colour at another size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import soften
from undegrade.degradations.light import to_display, to_linear


@dataclass(frozen=True, kw_only=True)
class ChromaticAberration(Degradation):
    """Lateral and a little axial colour: y_c(p) = (k_c * x_c)(p + s_c * (p - o) / |corner - o|), c red or blue.

    o is the optical centre, near the middle of the picture; `corner` the corner furthest from it. Red and blue move
    opposite ways: one by s = `shift` pixels, the other by 40 to 100 % of it. k_c is a Gaussian of `blur` for blue and
    half of that for red. In linear light; green is the sharp reference and stays as it is.
    """

    label = "chromatic_aberration"
    family = "sensor"
    shift: tuple[float, float] = severity(0.7, 5, "displacement at the furthest corner, pixels", limits=(0, 50))
    blur: tuple[float, float] = severity(0.2, 1, "standard deviation of the blur of blue, pixels", limits=(0.01, 10))

    def apply(self, clean: Tensor, rng: torch.Generator, *, shift: float, blur: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        height, width = clean.shape[-2:]
        centre_x, centre_y = (side * uniform(rng, 0.4, 0.6) for side in (width - 1, height - 1))
        x, y = torch.arange(width) - centre_x, (torch.arange(height) - centre_y)[:, None]
        outwards = torch.stack((x.expand(height, -1), y.expand(-1, width)), -1)
        outwards = outwards / torch.linalg.vector_norm(outwards, dim=-1).max()
        sign, weaker = (1 if uniform(rng, 0, 1) < 0.5 else -1), uniform(rng, 0.4, 1)
        red, blue = (1.0, -weaker) if uniform(rng, 0, 1) < 0.5 else (weaker, -1.0)
        moved = clean.clone()
        for channel, share, sigma in ((0, red, blur / 2), (2, blue, blur)):
            light = soften(to_linear(clean[..., channel, :, :]), sigma)
            moved[..., channel, :, :] = to_display(displace(light, outwards * (sign * shift * share)).clamp(0, 1))
        return moved.clamp(0, 1)


def displace(layer: Tensor, offset: Tensor) -> Tensor:
    """(..., H, W) read at p + offset(p), bicubic; `offset` (H, W, 2), x and y in pixels; the border is carried on."""
    height, width = layer.shape[-2:]
    flat = layer.reshape(1, -1, height, width)
    x, y = torch.arange(width) + offset[..., 0], torch.arange(height)[:, None] + offset[..., 1]
    grid = torch.stack((2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1), -1)[None]
    moved = F.grid_sample(flat, grid, mode="bicubic", padding_mode="border", align_corners=True)
    return moved.reshape(layer.shape)
