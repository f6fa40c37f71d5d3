"""Motion blur by camera shake."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import convolve
from undegrade.degradations.light import to_display, to_linear

NUM_POINTS = 96  # positions of the camera during one exposure


@dataclass(frozen=True, kw_only=True)
class MotionBlur(Degradation):
    """The camera moves while the shutter is open: y = display(k * linear(x)), k the path's histogram.

    The path is a walk with inertia: the direction of travel turns by a random amount at each step, as a hand does
    (Boracchi and Foi, "Modeling the Performance of Image Restoration from Motion Blur", 2012, in spirit). The blur
    happens in linear light, so that bright points leave bright trails.
    """

    label = "motion_blur"
    family = "blur"
    length: tuple[float, float] = severity(3, 21, "extent of the path, pixels", limits=(0, 99))
    shake: tuple[float, float] = severity(0, 1, "0 a straight line, 1 a trembling hand", limits=(0, 1))

    def apply(self, clean: Tensor, rng: torch.Generator, *, length: float, shake: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; one path for all pictures of a batch."""
        kernel = camera_path(rng, length=length, shake=shake)
        return to_display(convolve(to_linear(clean), kernel).clamp(0, 1)).clamp(0, 1)


def camera_path(rng: torch.Generator, *, length: float, shake: float) -> Tensor:
    """A (k, k) kernel, k odd, that sums to one: how long the camera pointed at each pixel; extent `length` pixels."""
    start = uniform(rng, 0, 2 * math.pi)
    turns = torch.randn(NUM_POINTS, generator=rng) * shake * 0.35
    # Jerks: at about one point in forty the hand changes its mind.
    jerks = (torch.rand(NUM_POINTS, generator=rng) < shake / 40) * torch.randn(NUM_POINTS, generator=rng) * 2
    speed = 1 + shake * (torch.rand(NUM_POINTS, generator=rng) - 0.5)
    heading = start + (turns + jerks).cumsum(0)
    path = torch.stack((torch.sin(heading) * speed, torch.cos(heading) * speed)).cumsum(1)
    path = path - path.mean(1, keepdim=True)
    extent = (path.amax(1) - path.amin(1)).norm()
    path = path * (length / extent)
    radius = max(1, math.ceil(path.abs().max().item()) + 1)
    # Each position is shared among its four nearest pixels.
    position = path + radius
    corner = position.floor()
    part = position - corner
    side = 2 * radius + 1
    kernel = torch.zeros(side * side)
    for dy in (0, 1):
        for dx in (0, 1):
            index = (corner[0].long() + dy) * side + corner[1].long() + dx
            weight = (part[0] if dy else 1 - part[0]) * (part[1] if dx else 1 - part[1])
            kernel.index_add_(0, index, weight)
    return (kernel / kernel.sum()).reshape(side, side)
