"""Water drops on the lens or the window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import smooth_field
from undegrade.degradations.light import to_display, to_linear

LOBES = 3  # that a drop is made of, the first the largest
OUTLINE = 0.25  # the thickness at which the water ends; a lone lobe has it at 0.707 of its reach
WAVER = 0.16  # of the outline, in thickness
RIM = 0.45  # how much thicker the water is where its rim no longer darkens
RUNNING = 0.2  # share of the drops that run down, with a tail above them
PARTS = 4  # lobes of about one size are drawn together
POINTS = 2**20  # drawn at a time, which bounds the memory for many large drops
VIEW = 0.6  # half of the view that a drop gives of the picture, as a share of half its sides


@dataclass(frozen=True, kw_only=True)
class Raindrops(Degradation):
    """Each drop is a small wide-angle lens out of focus: y = x * (1 - a) + (x(m - b * (dx, dy)) * f + g) * a.

    The water's thickness is a sum of lobes, (1 - d^2 / reach^2)^2 each, so that drops are uneven and run into each
    other. At (dx, dy) radii from the middle of a drop the scene is seen upside down, shrunk, and blurred by the same
    circle of confusion as the outline: the lens is focused far away. b is half the view, m lies half-way from the
    place to the middle of the picture; f darkens the rim and the upper side, which shows the ground, and brightens the
    lower side, which shows the sky; g is the sky mirrored near the upper rim. a is the cover by the water, blurred. In
    linear light; at least one drop.
    """

    label = "raindrops"
    family = "weather"
    density: tuple[float, float] = severity(1, 8, "drops in 10000 pixels", limits=(0, 100))
    diameter: tuple[float, float] = severity(8, 28, "diameter of a large drop, pixels", limits=(2, 400))

    def apply(self, clean: Tensor, rng: torch.Generator, *, density: float, diameter: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        height, width = clean.shape[-2:]
        flat = clean.reshape(-1, 3, height, width)
        blur = max(0.7, uniform(rng, 0.04, 0.13) * diameter)  # pixels, radius of the circle of confusion
        sky, glint, aside = uniform(rng, 0.1, 0.5), uniform(rng, 0, 0.35), uniform(rng, -0.4, 0.4)
        thickness, across, down, reach = place_drops((len(flat), height, width), density, diameter, rng)
        # A drop shows the picture about as large as itself; of that only what the blur leaves is kept.
        detail = [max(3, min(side, round(0.5 * diameter / blur))) for side in (height, width)]
        view = F.interpolate(to_linear(flat), detail, mode="area")
        middle_x, middle_y = torch.linspace(-0.5, 0.5, width), torch.linspace(-0.5, 0.5, height)[:, None]
        source = torch.stack((middle_x - VIEW * across, middle_y - VIEW * down), -1)
        seen = F.grid_sample(view, source, mode="bilinear", padding_mode="reflection", align_corners=False)
        rim = (1 - (thickness - OUTLINE) / RIM).clamp(0, 1)
        shade = (1 - 0.6 * rim * rim + sky * down).clamp_min(0.2)
        light = glint * torch.exp(-((across - aside) ** 2 + (down + 0.55) ** 2) / 0.05)
        drop = to_display((seen * shade[:, None] + light[:, None]).clamp(0, 1))
        return (flat + cover(thickness, reach, blur)[:, None] * (drop - flat)).clamp(0, 1).reshape(clean.shape)


def cover(thickness: Tensor, reach: Tensor, blur: float) -> Tensor:
    """(N, H, W) in [0, 1]: the share of light that comes through water, softened over `blur` pixels to both sides.

    Beyond the reach of the lobes it is 0; drops not larger than the blur are faint.
    """
    # About its outline the thickness falls by 1.41 over the reach.
    over = (2 * blur * 1.41 / reach).clamp_min(0.05)
    begin = (OUTLINE - over / 2).clamp_min(0.03)
    amount = ((thickness - begin) / over).clamp(0, 1)
    return amount * amount * (3 - 2 * amount)


def place_drops(shape: tuple[int, int, int], density: float, diameter: float, rng: torch.Generator) -> Tensor:
    """The water on N pictures: (4, N, H, W), its thickness, the place in the drop to the right and down, the reach.

    The water ends where the thickness is `OUTLINE`. Places are in radii from the middle of the drop, the mean where
    drops have run into each other; the reach, in pixels, is that of the lobes there.
    """
    num_pictures, height, width = shape
    count = max(1, int(density * height * width / 1e4 + uniform(rng, 0, 1)))
    size, places, reaches, squash = draw_lobes(count * num_pictures, diameter / 2, rng)
    drops = torch.arange(count * num_pictures)
    middle = torch.rand((len(drops), 2), generator=rng) * torch.tensor([height - 1.0, width - 1.0])
    lobes = torch.cat((middle[:, None] + places, reaches[..., None]), -1).reshape(-1, 3)
    of = drops.repeat_interleave(LOBES)
    lobes = torch.cat((lobes, squash[of, None], middle[of], size[of, None], (of // count)[:, None]), 1)
    water = torch.zeros(num_pictures * height * width, 4)
    for part in lobes[lobes[:, 2].argsort()].split(math.ceil(len(lobes) / PARTS)):
        box = math.ceil((part[:, 2] * part[:, 3].clamp_min(1)).max().item())
        for some in part.split(max(1, POINTS // (2 * box + 1) ** 2)):
            _stamp(water, shape, some, box)
    water = water.T.reshape(4, *shape)
    water[1:] /= water[:1].clamp_min(1e-6)
    water[3] = water[3].clamp_min(1)
    waver = smooth_field((num_pictures, height, width), rng, max(2, round(3 * max(height, width) / diameter))) - 0.5
    water[0] += WAVER * waver * (water[0] / OUTLINE).clamp_max(1)  # none where there is no water
    return water


def draw_lobes(count: int, largest: float, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Radii of drops (count,), spread evenly in their logarithm from 0.3 to 1 times `largest`, and their lobes.

    Places (count, LOBES, 2) of the lobes, (y, x) from the middle of the drop; their reach (count, LOBES), all in
    pixels; and height over width (count,).
    """
    radius = largest * torch.exp(math.log(0.3) * torch.rand(count, 1, generator=rng))
    turn, away, size = torch.rand(3, count, LOBES, generator=rng)
    running = torch.rand(count, 1, generator=rng) < RUNNING
    angle = torch.where(running, -0.25 + 0.02 * (turn - 0.5), turn) * 2 * math.pi
    number = torch.arange(LOBES)
    away = radius * torch.where(running, 0.85 * number, 0.4 + 0.6 * away)
    radii = radius * torch.where(running, 0.8 - 0.22 * number, 0.4 + 0.4 * size)
    away[:, 0], radii[:, 0] = 0, 0.87 * radius[:, 0]
    squash = 0.8 + 0.4 * torch.rand(count, generator=rng)
    places = torch.stack((torch.sin(angle), torch.cos(angle)), -1) * away[..., None]
    return radius[:, 0], places, radii / 0.707, squash


def _stamp(water: Tensor, shape: tuple[int, int, int], lobes: Tensor, box: int) -> None:
    """Add lobes to `water` (N * H * W, 4); `box` pixels around the middle of each are enough.

    A row of `lobes`: y, x, reach, height over width, y and x of the middle of the drop, its radius, the picture.
    """
    _, height, width = shape
    y, x, reach, squash, middle_y, middle_x, radius, picture = lobes[:, :, None, None].unbind(1)
    axis = torch.arange(-box, box + 1)
    row, column = y.round().long() + axis[:, None], x.round().long() + axis
    left = 1 - ((row - y) / (reach * squash)) ** 2 - ((column - x) / reach) ** 2
    left = left * ((row >= 0) & (row < height)) * ((column >= 0) & (column < width))
    inside = left > 0
    index = ((picture.long() * height + row) * width + column)[inside]
    values = (1.0, (column - middle_x) / radius, (row - middle_y) / radius, reach)
    thick = left * left
    water.index_add_(0, index, torch.stack([thick * value for value in values], -1)[inside])
