"""Over-exposure: too long an exposure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.degradations.light import to_display, to_linear


@dataclass(frozen=True, kw_only=True)
class OverExposure(Degradation):
    """Too much light, lost above white: y = display(min(linear(x) * 2 ** stops, 1)).

    Each channel is cut off by itself, so bright colours drift in hue before they turn white, as skies and skin do.
    """

    label = "over_exposure"
    family = "light"
    random = False
    stops: tuple[float, float] = severity(0.5, 2.5, "exposure steps too bright (1 doubles the light)", limits=(0, 8))

    def apply(self, clean: Tensor, rng: torch.Generator, *, stops: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range. Draws nothing from `rng`."""
        return to_display((to_linear(clean) * 2**stops).clamp(0, 1)).clamp(0, 1)
