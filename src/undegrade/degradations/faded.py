"""An old colour print."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.light import to_display, to_linear

BLACK = 2.2  # optical density of the darkest print
# Which dye goes first, as multiples of the mean loss: cyan (seen in red), magenta (green), yellow (blue).
DYES = ((1.3, 0.8, 0.9), (0.9, 0.85, 1.25), (1.0, 1.0, 1.0))
STAIN = (0.12, 0.4, 1.0)  # density of the yellowed paper in red, green and blue


@dataclass(frozen=True, kw_only=True)
class Faded(Degradation):
    """Dyes lost and paper yellowed: D = min(-log10(linear(x)), 2.2); y = display(10 ** -((1 - fade_c) * D + stain_c)).

    fade_c = fade * a random mix of prints in which the cyan dye goes first (the cast is red), the yellow one (blue),
    or all alike. Lower densities mean lifted blacks, less contrast and paler colours.
    """

    label = "faded"
    family = "light"
    fade: tuple[float, float] = severity(0.1, 0.6, "share of the dyes lost", limits=(0, 0.75))
    stain: tuple[float, float] = severity(0.02, 0.25, "optical density of the yellowing, in blue", limits=(0, 1.5))

    def apply(self, clean: Tensor, rng: torch.Generator, *, fade: float, stain: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        weights = [uniform(rng, 0.01, 1) for _ in DYES]
        mix = [sum(w * dye[c] for w, dye in zip(weights, DYES, strict=True)) / sum(weights) for c in range(3)]
        kept = 1 - fade * torch.tensor(mix)[:, None, None]
        paper = torch.tensor([10 ** (-stain * share) for share in STAIN])[:, None, None]
        # 10 ** -(kept * D + stain), without the two logarithms.
        light = to_linear(clean).clamp_min(math.pow(10, -BLACK)) ** kept * paper
        return to_display(light).clamp(0, 1)
