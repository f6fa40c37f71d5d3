"""Zoom blur: the zoom ring turned, or the camera moved forward, during the exposure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.light import to_display, to_linear
from undegrade.degradations.sweep import OUTWARDS, sweep


@dataclass(frozen=True, kw_only=True)
class ZoomBlur(Degradation):
    """Streaks away from a point c, longer with the distance: y(p) = display(mean over t of linear(x)(c + e^t (p - c))).

    t is uniform in [-s / 2, s / 2], s = length / (distance of the furthest corner from c); c is drawn from the middle
    half of each side.
    """

    label = "zoom_blur"
    family = "blur"
    length: tuple[float, float] = severity(
        2, 24, "length of the streak at the corner furthest from the centre, pixels", limits=(0.1, 300), log=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, length: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        height, width = clean.shape[-2:]
        centre = uniform(rng, 0.25, 0.75) * (height - 1), uniform(rng, 0.25, 0.75) * (width - 1)
        return to_display(sweep(to_linear(clean), way=OUTWARDS, centre=centre, length=length).clamp(0, 1)).clamp(0, 1)
