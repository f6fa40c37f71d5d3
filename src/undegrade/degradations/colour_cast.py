"""Wrong white balance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.light import to_display, to_linear

# What one mired (1e6 / kelvin) warmer does to the logarithm of linear sRGB red, green and blue: the slope of Planck's
# black bodies between 3000 and 8000 K, over which it changes by less than a tenth.
PER_MIRED = (0.0037, 0.0, -0.0061)
LUMINANCE = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True, kw_only=True)
class ColourCast(Degradation):
    """White balance set for another light: y = display(clip(g_c * linear(x))), g scaled to keep the luminance of gray.

    log g = +-mired * (0.0037, 0, -0.0061) +- tint * (0, 1, 0), the signs random: too warm or too cold by that shift of
    the colour temperature, and too green or too magenta.
    """

    label = "colour_cast"
    family = "light"
    mired: tuple[float, float] = severity(10, 80, "shift of the colour temperature, mired", limits=(0, 300))
    tint: tuple[float, float] = severity(0, 0.15, "shift of green, natural logarithm of its gain", limits=(0, 1))

    def apply(self, clean: Tensor, rng: torch.Generator, *, mired: float, tint: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        warmer, greener = (1 if uniform(rng, 0, 1) < 0.5 else -1 for _ in range(2))
        gains = torch.exp(warmer * mired * torch.tensor(PER_MIRED) + greener * tint * torch.tensor((0.0, 1.0, 0.0)))
        gains = gains / (gains * torch.tensor(LUMINANCE)).sum()
        return to_display((to_linear(clean) * gains[:, None, None]).clamp(0, 1)).clamp(0, 1)
