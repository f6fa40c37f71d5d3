"""Rotation blur: the camera, or what it looks at, turned during the exposure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.light import to_display, to_linear
from undegrade.degradations.sweep import AROUND, sweep


@dataclass(frozen=True, kw_only=True)
class RotationBlur(Degradation):
    """Streaks around a point c, longer with the distance: y(p) = display(mean over t of linear(x)(c + R(t) (p - c))).

    R(t) turns by t, uniform in [-a / 2, a / 2], a = length / (distance of the furthest corner from c) in radians; c is
    drawn from the whole picture.
    """

    label = "rotation_blur"
    family = "blur"
    length: tuple[float, float] = severity(
        2, 24, "length of the streak at the corner furthest from the centre, pixels", limits=(0.1, 300), log=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, length: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        height, width = clean.shape[-2:]
        centre = uniform(rng, 0, 1) * (height - 1), uniform(rng, 0, 1) * (width - 1)
        return to_display(sweep(to_linear(clean), way=AROUND, centre=centre, length=length).clamp(0, 1)).clamp(0, 1)
