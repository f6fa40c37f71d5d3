"""Convolution of pictures with large kernels, and random fields made with it."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

LONGEST = 15  # samples of a line by which pictures are softened directly


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
    line = _gaussian_line(sigma)
    return line[:, None] * line[None, :]


def _gaussian_line(sigma: float) -> Tensor:
    radius = max(1, math.ceil(3 * sigma))
    x = torch.arange(-radius, radius + 1, dtype=torch.float32)
    line = torch.exp(-0.5 * (x / max(sigma, 1e-3)) ** 2)
    return line / line.sum()


def soften(image: Tensor, sigma: float, *, reflect: bool = True) -> Tensor:
    """`convolve` with `gaussian_kernel(sigma)`; a small one goes along and then across, several times faster."""
    line = _gaussian_line(sigma)
    reach = len(line) // 2
    if len(line) > LONGEST or (reflect and reach >= min(image.shape[-2:])):
        return convolve(image, gaussian_kernel(sigma), reflect=reflect)
    height, width = image.shape[-2:]
    flat = F.pad(image.reshape(-1, 1, height, width), (reach,) * 4, mode="reflect" if reflect else "constant")
    for axis, length in ((-1, width), (-2, height)):
        total = flat.narrow(axis, reach, length) * float(line[reach])
        for tap, weight in enumerate(line[:reach].tolist()):
            total.add_(flat.narrow(axis, tap, length), alpha=weight)
            total.add_(flat.narrow(axis, 2 * reach - tap, length), alpha=weight)
        flat = total
    return flat.reshape(image.shape)


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
    coarse = torch.rand((*batch, cells + 1, cells + 1), generator=rng)
    return enlarge(coarse, height, width).clamp_(0, 1)


def enlarge(coarse: Tensor, height: int, width: int) -> Tensor:
    """(..., h, w) -> (..., H, W) by cubic convolution, the outer samples at the borders.

    PyTorch's bicubic interpolation with aligned corners, but first along and then across, in half of its time. It is no
    product of matrices, whose sums would depend on the number of threads.
    """
    for axis, length in ((-1, width), (-2, height)):
        taps = iter(_taps(coarse.shape[axis], length))
        chosen, weight = next(taps)
        fine = coarse.index_select(axis, chosen) * (weight if axis == -1 else weight[:, None])
        for chosen, weight in taps:
            fine.addcmul_(coarse.index_select(axis, chosen), weight if axis == -1 else weight[:, None])
        coarse = fine
    return coarse


@lru_cache(maxsize=64)
def _taps(count: int, length: int) -> tuple[tuple[Tensor, Tensor], ...]:
    """The four samples that each of `length` places spread over `count` samples is made of: (length,) and weights.

    Cubic convolution (Keys, 1981) with a = -0.75; the outer samples are carried on.
    """
    places, a = torch.arange(length) * ((count - 1) / max(length - 1, 1)), -0.75
    begin, taps = places.floor(), []
    for tap in range(-1, 3):
        distance = (places - begin - tap).abs()
        near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
        far = ((distance - 5) * distance + 8) * distance * a - 4 * a
        taps.append(((begin.long() + tap).clamp_(0, count - 1), torch.where(distance <= 1, near, far)))
    return tuple(taps)
