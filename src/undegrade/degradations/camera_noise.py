"""Sensor noise as it leaves a camera: coloured grain, developed together with the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.colour_filter import each_by_itself
from undegrade.degradations.light import to_display, to_linear

# Linear sRGB -> the camera's own red, green and blue; rows sum to one, so white is white. From clean to cross-talking
# colour filters: what is typical of cameras and of phones.
CAMERAS = (
    ((0.70, 0.25, 0.05), (0.12, 0.76, 0.12), (0.02, 0.22, 0.76)),
    ((0.60, 0.32, 0.08), (0.15, 0.70, 0.15), (0.03, 0.30, 0.67)),
    ((0.54, 0.40, 0.06), (0.10, 0.72, 0.18), (0.02, 0.27, 0.71)),
    ((0.55, 0.35, 0.10), (0.20, 0.60, 0.20), (0.05, 0.35, 0.60)),
)
# Bilinear demosaicing: weights of the neighbours that carry the colour, for red, green and blue.
SPARSE = ((0.25, 0.5, 0.25), (0.5, 1, 0.5), (0.25, 0.5, 0.25))
DENSE = ((0, 0.25, 0), (0.25, 1, 0.25), (0, 0.25, 0))


@dataclass(frozen=True, kw_only=True)
class CameraNoise(Degradation):
    """Noise put into the raw picture, which is then developed: y = develop(raw + demosaic(n)), raw = undevelop(x).

    develop(raw) = tone(display(clip(M^-1 * (gain * raw)))), tone(v) = 3 * v^2 - 2 * v^3; M is a random mix of
    cameras, the white balance gains of red and blue are random too. n ~ N(0, shot * raw + read) has one colour a pixel
    (Bayer) and log(read) = 2.18 * log(shot) + 1.2, after Brooks et al., "Unprocessing Images for Learned Raw
    Denoising", 2019. Demosaicing is linear, so only the noise passes through it, bilinearly: its grain comes out
    blotched and coloured, and the picture keeps its detail.
    """

    label = "camera_noise"
    family = "noise"
    shot: tuple[float, float] = severity(
        3e-4, 1e-2, "photon noise: variance over light, full scale 1", limits=(1e-7, 0.1), log=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, shot: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        to_camera, from_camera = draw_camera(rng)
        raw = convert(to_linear(inverse_tone(clean)), to_camera)
        raw = raw + raw_noise(raw, rng, shot=shot)
        return tone(to_display(convert(raw, from_camera).clamp(0, 1)).clamp(0, 1)).clamp(0, 1)


def draw_camera(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """(3, 3) from linear sRGB to raw values, white balance undone, and its inverse."""
    weights = torch.rand(len(CAMERAS), generator=rng, dtype=torch.float64) + 1e-3
    mix = torch.einsum("c,cij->ij", weights / weights.sum(), torch.tensor(CAMERAS, dtype=torch.float64))
    gains = torch.tensor((uniform(rng, 1.9, 2.4), 1.0, uniform(rng, 1.5, 1.9)), dtype=torch.float64)
    matrix = mix / gains[:, None]
    return matrix.float(), torch.linalg.inv(matrix).float()


def convert(image: Tensor, matrix: Tensor) -> Tensor:
    """(..., 3, H, W) with a (3, 3) matrix applied to the colour of each pixel."""
    return torch.einsum("ij,...jhw->...ihw", matrix, image)


def tone(value: Tensor) -> Tensor:
    """The contrast curve of the camera, 3 * v^2 - 2 * v^3, [0, 1] -> [0, 1]."""
    return value * value * (3 - 2 * value)


def inverse_tone(value: Tensor) -> Tensor:
    """What `tone` takes to this value: 1/2 - sin(asin(1 - 2 * v) / 3)."""
    return 0.5 - torch.sin(torch.asin(1 - 2 * value) / 3)


def raw_noise(raw: Tensor, rng: torch.Generator, *, shot: float) -> Tensor:
    """Noise of a (..., 3, H, W) raw picture, drawn for one colour a pixel (RGGB, shifted at random), demosaiced."""
    height, width = raw.shape[-2:]
    down, right = (int(v) for v in torch.randint(0, 2, (2,), generator=rng))
    # One pixel more on every side, mirrored about the border: that keeps the order of the colours.
    rows = torch.arange(-1, height + 1).abs()
    columns = torch.arange(-1, width + 1).abs()
    rows[-1], columns[-1] = height - 2, width - 2
    odd_row, odd_column = ((rows + down) % 2).bool()[:, None], ((columns + right) % 2).bool()[None, :]
    mask = torch.stack((~odd_row & ~odd_column, odd_row ^ odd_column, odd_row & odd_column)).float()
    read = math.exp(2.18 * math.log(shot) + 1.2)
    flat = raw.reshape(-1, 3, height, width)
    light = (flat * mask[:, 1:-1, 1:-1]).sum(1, keepdim=True).clamp_min(0)
    drawn = torch.randn(light.shape, generator=rng) * (shot * light + read).sqrt()
    colours = F.pad(drawn, (1, 1, 1, 1), mode="reflect") * mask
    return each_by_itself(colours, torch.tensor((SPARSE, DENSE, SPARSE)))[..., 1:-1, 1:-1].reshape(raw.shape)
