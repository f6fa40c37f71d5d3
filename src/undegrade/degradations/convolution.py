"""Convolution of pictures with large kernels, and random fields made with it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def convolve(image: Tensor, kernel: Tensor, *, reflect: bool = True) -> Tensor:
    """(..., H, W) convolved with one (h, w) kernel of odd sides, by FFT; beyond the border the picture is mirrored.

    With `reflect` false it is zero there, which is right for sparse layers of streaks and flakes.
    """
    down, right = kernel.shape[0] // 2, kernel.shape[1] // 2
    height, width = image.shape[-2:]
    flat = image.reshape(-1, 1, height, width)
    if reflect and (down >= height or right >= width):  # a mirror shows no more than the picture has
        flat = F.pad(flat, (right, right, down, down), mode="replicate")
    else:
        flat = F.pad(flat, (right, right, down, down), mode="reflect" if reflect else "constant")
    size = [_smooth(n + k - 1) for n, k in zip(flat.shape[-2:], kernel.shape, strict=True)]
    product = torch.fft.rfft2(flat, s=size) * torch.fft.rfft2(kernel, s=size)
    full = torch.fft.irfft2(product, s=size)
    top, left = 2 * down, 2 * right
    return full[..., top : top + height, left : left + width].reshape(image.shape)


def _smooth(size: int) -> int:
    """The next multiple of 16: sizes with a large prime factor make the FFT several times slower."""
    return -(-size // 16) * 16


def gaussian_kernel(sigma: float) -> Tensor:
    """(k, k), sums to one; standard deviation in pixels, cut at three of them."""
    radius = max(1, math.ceil(3 * sigma))
    x = torch.arange(-radius, radius + 1, dtype=torch.float32)
    line = torch.exp(-0.5 * (x / max(sigma, 1e-3)) ** 2)
    kernel = line[:, None] * line[None, :]
    return kernel / kernel.sum()


def line_kernel(length: float, angle: float, thickness: float) -> Tensor:
    """(k, k), sums to one: a straight antialiased streak; pixels, and degrees from straight down."""
    radius = max(1, math.ceil(length / 2 + thickness))
    axis = torch.arange(-radius, radius + 1, dtype=torch.float32)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    sin, cos = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    along, across = (y * cos + x * sin).abs(), (x * cos - y * sin).abs()
    distance = torch.hypot((along - length / 2).clamp_min(0), across)
    kernel = (thickness / 2 + 0.5 - distance).clamp(0, 1)
    return kernel / kernel.sum()


def smooth_field(shape: tuple[int, ...], rng: torch.Generator, cells: int) -> Tensor:
    """A random (..., H, W) field in [0, 1] that varies over about 1 / `cells` of the picture's side."""
    *batch, height, width = shape
    coarse = torch.rand((math.prod(batch), 1, cells + 1, cells + 1), generator=rng)
    fine = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    return fine.clamp(0, 1).reshape(shape)
