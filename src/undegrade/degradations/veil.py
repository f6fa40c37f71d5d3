"""Light lost and light added on the way through the air."""

from __future__ import annotations

import torch
from torch import Tensor

from undegrade.degradations.light import to_display, to_linear


def veil(clean: Tensor, optical_depth: Tensor, airlight: Tensor) -> Tensor:
    """Koschmieder's law in linear light: y = display(linear(x) * t + linear(A) * (1 - t)), t = exp(-optical_depth).

    Pictures (..., 3, H, W), optical depths that broadcast to them, an air light A (3, 1, 1) in display values.
    """
    transmission = torch.exp(-optical_depth)
    air = to_linear(airlight)
    return to_display(air + (to_linear(clean) - air) * transmission).clamp(0, 1)
