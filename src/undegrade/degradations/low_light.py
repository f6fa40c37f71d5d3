"""Low light: too short an exposure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.degradations.light import to_display, to_linear


@dataclass(frozen=True, kw_only=True)
class LowLight(Degradation):
    """Under-exposure with the camera's noise: l = linear(x) / 2 ** stops; y = quantise(display(l + n)).

    n ~ N(0, shot * l + read), the photons' and the amplifier's share; log(read) = 2.18 * log(shot) + 1.2 is the
    relation that Brooks et al., "Unprocessing Images for Learned Raw Denoising", 2019, fitted to real cameras.
    Quantised to 8 bits, as a camera would store it.
    """

    label = "low_light"
    family = "light"
    stops: tuple[float, float] = severity(1, 4, "exposure steps too dark (1 halves the light)", limits=(0, 8))
    shot: tuple[float, float] = severity(
        1e-4, 2e-3, "photon noise: variance over light, full scale 1", limits=(1e-6, 0.1), log=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, stops: float, shot: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        light = to_linear(clean) / 2**stops
        read = math.exp(2.18 * math.log(shot) + 1.2)
        noisy = light + (shot * light + read).sqrt() * torch.randn(clean.shape, generator=rng)
        return (to_display(noisy.clamp(0, 1)) * 255).round() / 255
