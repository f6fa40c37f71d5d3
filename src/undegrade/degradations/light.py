"""Display values and linear light (IEC 61966-2-1, the sRGB curve)."""

from __future__ import annotations

import torch
from torch import Tensor


def to_linear(display: Tensor) -> Tensor:
    """sRGB values in [0, 1] -> linear light: ((v + 0.055) / 1.055) ** 2.4 above 0.04045, else v / 12.92."""
    power = display.add(0.055).mul_(1 / 1.055).clamp_min_(0).pow_(2.4)  # in place: what is new need not be allocated
    return torch.where(display <= 0.04045, display / 12.92, power)


def to_display(linear: Tensor) -> Tensor:
    """Linear light in [0, 1] -> sRGB values in [0, 1]; the inverse of `to_linear`.

    >>> x = torch.linspace(0, 1, 11)
    >>> bool(((to_display(to_linear(x)) - x).abs() < 1e-6).all())
    True
    """
    power = linear.clamp_min(1e-8).pow_(1 / 2.4).mul_(1.055).sub_(0.055)
    return torch.where(linear <= 0.0031308, linear * 12.92, power)
