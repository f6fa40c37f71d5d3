"""Histograms of oriented gradients, and how far two pictures' are apart."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 9
CELL = 8  # side of a cell, pixels
LUMA = (0.299, 0.587, 0.114)
EPS = 1e-8


def oriented_gradients(picture: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, N): the strength of edges by direction in cells of 8 x 8 pixels, 2 x 2 at a time.

    g is the Sobel gradient of the luma, m = sqrt(gx^2 + gy^2 + 1e-8), a = |atan2(gy, gx + 1e-8)|; pixel by pixel,
    m * relu(1 - d / (pi / 9)) counts for direction i * pi / 9, d = min(e, pi - e), e = |a - i * pi / 9|. So it is in
    the published trainer of HOGformer (AAAI 2026), though e itself is right where it exceeds pi / 2.

    Raises:
        ValueError: a side has fewer than 16 pixels.
    """
    height, width = (side // CELL * CELL for side in picture.shape[-2:])
    if min(height, width) < 2 * CELL:
        raise ValueError(f"the picture is {tuple(picture.shape[-2:])}; it must have at least {2 * CELL} pixels a side")
    luma = (picture * picture.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    across = picture.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    gx, gy = F.conv2d(luma, torch.stack((across, across.T))[:, None], padding=1).chunk(2, 1)
    strength = (gx.square() + gy.square() + EPS).sqrt()
    angle = torch.atan2(gy, gx + EPS).abs()
    centres = torch.arange(BINS, device=picture.device, dtype=picture.dtype)[:, None, None] * (math.pi / BINS)
    apart = (angle - centres).abs()
    apart = torch.minimum(apart, math.pi - apart)
    counted = strength * (1 - apart / (math.pi / BINS)).relu()
    cells = F.avg_pool2d(counted[..., :height, :width], CELL)
    blocks = F.unfold(cells, 2)  # (B, 36, blocks)
    blocks = blocks / (torch.linalg.vector_norm(blocks, dim=1, keepdim=True) + EPS)
    return blocks.transpose(1, 2).flatten(1)


def histogram_loss(picture: Tensor, clean: Tensor) -> Tensor:
    """mean |oriented_gradients(picture) - oriented_gradients(clean)|."""
    return (oriented_gradients(picture) - oriented_gradients(clean)).abs().mean()


def correlation_loss(picture: Tensor, clean: Tensor) -> Tensor:
    """mean over the pictures of (1 - r) / 2, r Pearson's correlation over all values of a picture and its clean one."""
    given, wanted = (x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (picture, clean))
    lengths = torch.linalg.vector_norm(given, dim=1) * torch.linalg.vector_norm(wanted, dim=1)
    return ((1 - (given * wanted).sum(1) / (lengths + 1e-6)) / 2).mean()
