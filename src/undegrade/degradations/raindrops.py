"""Water drops on the lens or the window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.light import to_display, to_linear

ROUGHNESS = (0.13, 0.06)  # how far an outline departs from a circle, at most, in radii: as an oval, as a triangle
POINTS = 2**20  # drawn at a time, which bounds the memory for many large drops
VIEW = 0.75  # half of the view that a drop gives of the picture, as a share of half its sides


@dataclass(frozen=True, kw_only=True)
class Raindrops(Degradation):
    """Each drop is a small wide-angle lens: y = x * (1 - a) + (x(m - b(r) * (dx, dy)) * f(r) + g) * a.

    Inside a drop, at (dx, dy) radii from its middle and r = 1 at its outline, the scene is seen upside down, shrunk
    and blurred; b bulges it towards the rim, f darkens the rim, where little light gets through, and g is the glint of
    a lamp or the sky. m lies half-way from the drop to the middle of the picture. The edge a is soft, for the drop is
    out of focus. In linear light; at least one drop.
    """

    label = "raindrops"
    family = "weather"
    density: tuple[float, float] = severity(1, 8, "drops in 10000 pixels", limits=(0, 100))
    diameter: tuple[float, float] = severity(8, 28, "diameter of a large drop, pixels", limits=(2, 400))

    def apply(self, clean: Tensor, rng: torch.Generator, *, density: float, diameter: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        height, width = clean.shape[-2:]
        flat = clean.reshape(-1, 3, height, width)
        soft, turn = uniform(rng, 0.1, 0.5), uniform(rng, 0.2, 0.8) * math.pi
        across, down, rim, radius = place_drops((len(flat), height, width), density, diameter, rng)
        # A drop shows the picture about as large as itself, so that is how much of it needs to be kept.
        detail = [max(4, min(side, round(0.8 * diameter))) for side in (height, width)]
        view = F.interpolate(to_linear(flat), detail, mode="area")
        middle_x = torch.linspace(-1, 1, width) - across * radius * 2 / width
        middle_y = torch.linspace(-1, 1, height)[:, None] - down * radius * 2 / height
        bulge = VIEW * (0.6 + 0.4 * rim**2)
        source = torch.stack((0.5 * middle_x - bulge * across, 0.5 * middle_y - bulge * down), -1)
        seen = F.grid_sample(view, source, mode="bilinear", padding_mode="reflection", align_corners=False)
        glint = torch.exp(-((across - 0.5 * math.cos(turn)) ** 2 + (down + 0.5 * math.sin(turn)) ** 2) / 0.015)
        edge = ((rim - 0.55) / 0.45).clamp(0, 1)
        shade = 1 - 0.7 * edge**2 * (3 - 2 * edge)
        drop = to_display((seen * shade[:, None] + 0.5 * glint[:, None]).clamp(0, 1))
        opacity = ((1 - rim) * radius / (0.5 + soft * radius)).clamp(0, 1)[:, None]
        return (flat + opacity * (drop - flat)).clamp(0, 1).reshape(clean.shape)


def place_drops(shape: tuple[int, int, int], density: float, diameter: float, rng: torch.Generator) -> Tensor:
    """Where each pixel of (N, H, W) lies in its drop: (4, N, H, W), radii to the right, radii down, r, the radius.

    r is 0 in the middle of a drop, 1 at its uneven outline and wherever there is no drop. Later drops cover earlier.
    """
    num_pictures, height, width = shape
    count = max(1, int(density * height * width / 1e4 + uniform(rng, 0, 1)))
    total = count * num_pictures
    middle = torch.rand((2, total), generator=rng) * torch.tensor([[width - 1.0], [height - 1.0]])
    radius = diameter / 2 * torch.exp(uniform_each(total, rng, math.log(0.35), 0))
    lobes = [(uniform_each(total, rng, 0, most), uniform_each(total, rng, 0, 2 * math.pi)) for most in ROUGHNESS]
    reach = math.ceil(diameter / 2 * (1 + sum(ROUGHNESS)))
    y, x = torch.meshgrid(*[torch.arange(-reach, reach + 1)] * 2, indexing="ij")
    owner = torch.full((num_pictures * height * width,), -1)
    drops = torch.tensor([0.0, 0.0, 1.0, 1.0])[:, None].repeat(1, owner.numel())
    for part in torch.arange(total).split(max(1, POINTS // x.numel())):
        near = part[:, None, None]  # the pixels about each drop: (drops, k, k)
        column, row = middle[0, near].round().long() + x, middle[1, near].round().long() + y
        across, down = (column - middle[0, near]) / radius[near], (row - middle[1, near]) / radius[near]
        angle = torch.atan2(down, across)
        outline = 1 + sum(size[near] * torch.cos(n * angle - turn[near]) for n, (size, turn) in enumerate(lobes, 2))
        rim = torch.hypot(across, down) / outline
        wet = (rim < 1) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        place = ((near // count * height + row) * width + column)[wet]
        number = near.expand(wet.shape)[wet]
        owner.scatter_reduce_(0, place, number, "amax")
        seen = owner[place] == number  # each pixel once, so that the order of writing does not matter
        values = torch.stack((across, down, rim, radius[near].expand(rim.shape)))[:, wet]
        drops[:, place[seen]] = values[:, seen]
    return drops.reshape(4, *shape)


def uniform_each(count: int, rng: torch.Generator, low: float, high: float) -> Tensor:
    """`count` numbers from [low, high)."""
    return low + (high - low) * torch.rand(count, generator=rng)
