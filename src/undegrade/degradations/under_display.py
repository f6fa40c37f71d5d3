"""A camera that looks through a lit display."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import convolve
from undegrade.degradations.light import to_display, to_linear

WAVELENGTHS = (610.0, 540.0, 465.0)  # nanometres, of red, green and blue
GRID = 128  # points a side at which the display in front of the lens is drawn
REACH = 32  # pixels from the middle of the kernel to its border


@dataclass(frozen=True, kw_only=True)
class UnderDisplay(Degradation):
    """Dim, noisy and blurred by diffraction: y = display(T_c * (k_c * linear(x_c)) + n), n ~ N(0, shot * l + read).

    k_c = |FFT(openings between the display's pixels, within the lens)|^2, its size in proportion to the wavelength:
    ghosts at whole multiples of `spacing`. The display is T-OLED (stripes) or P-OLED (a Pentile lattice, yellowish),
    half the time each. l is the light before the noise; `read` follows from `shot` as for low light. After Zhou et
    al., "Image Restoration for Under-Display Camera", 2021.
    """

    label = "under_display"
    family = "sensor"
    spacing: tuple[float, float] = severity(2, 6, "distance of the diffraction orders, pixels", limits=(1, 16))
    transmission: tuple[float, float] = severity(
        0.2, 0.7, "light let through, 0 to 1", limits=(0.01, 1), log=True, falling=True
    )
    shot: tuple[float, float] = severity(
        1e-4, 2e-3, "photon noise: variance over light, full scale 1", limits=(1e-6, 0.1), log=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, spacing: float, transmission: float, shot: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        striped, upright = uniform(rng, 0, 1) < 0.5, uniform(rng, 0, 1) < 0.5
        opening = uniform(rng, 0.45, 0.7)
        tint = (1.0, 0.98, 0.96) if striped else (1.0, 0.93, 0.72)  # the foil of a P-OLED absorbs blue
        layers = []
        for channel, (share, wavelength) in enumerate(zip(tint, WAVELENGTHS, strict=True)):
            scale = wavelength / WAVELENGTHS[1]
            kernel = diffraction(
                openings(GRID / (spacing * scale), opening, striped=striped) * lens(0.38 * GRID / scale)
            )
            light = convolve(to_linear(clean[..., channel, :, :]), kernel if upright else kernel.T.contiguous())
            layers.append(transmission * share * light)
        seen = torch.stack(layers, -3).clamp(0, 1)
        read = math.exp(2.18 * math.log(shot) + 1.2)  # as for low light
        noise = (shot * seen + read).sqrt() * torch.randn(clean.shape, generator=rng)
        return to_display((seen + noise).clamp(0, 1)).clamp(0, 1)


def openings(period: float, opening: float, *, striped: bool) -> Tensor:
    """What the display lets through, (GRID, GRID) from 0 to 1; `opening` is the share of a period's length."""
    axis = torch.arange(GRID) - GRID / 2
    x, y = axis[None].expand(GRID, -1), axis[:, None].expand(-1, GRID)
    if striped:
        return slits(x, period, opening)
    # Pentile: diamonds between the pixels, that is squares in a lattice turned by 45 degrees.
    return slits((x + y) / math.sqrt(2), period, opening) * slits((x - y) / math.sqrt(2), period, opening)


def slits(place: Tensor, period: float, opening: float) -> Tensor:
    """1 within `opening` of each period about its middle, else 0, with an edge one point wide."""
    distance = (torch.remainder(place / period + 0.5, 1) - 0.5).abs() * period
    return (opening * period / 2 - distance + 0.5).clamp(0, 1)


def lens(radius: float) -> Tensor:
    """The lens behind the display, a disc of `radius` points: (GRID, GRID), 0 or 1."""
    axis = torch.arange(GRID) - GRID / 2
    return (torch.hypot(axis[:, None], axis) <= radius).float()


def diffraction(pupil: Tensor) -> Tensor:
    """The image of a point through `pupil`: a (k, k) kernel, k odd, that sums to one."""
    pattern = torch.fft.fftshift(torch.fft.fft2(pupil).abs() ** 2)
    middle = GRID // 2
    kernel = pattern[middle - REACH : middle + REACH + 1, middle - REACH : middle + REACH + 1]
    return kernel / kernel.sum()
