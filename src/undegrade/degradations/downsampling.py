"""Lost resolution: made smaller, then brought back to size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity

# The weight of a pixel `distance` pixels away from the place asked for, where `stretch` old pixels make a new one.
Kernel = Callable[[Tensor, float], Tensor]


@dataclass(frozen=True, kw_only=True)
class Downsampling(Degradation):
    """A picture from a smaller one: y = U(clip(D x)), D to size / factor, U back to the size.

    D is drawn from area, bilinear, bicubic (a = -0.5) and Lanczos (3 lobes), each widened by the factor against
    aliasing, as in Pillow; U from bilinear and bicubic. In display values, as picture programs do it.
    """

    label = "downsampling"
    family = "resolution"
    factor: tuple[float, float] = severity(1, 8, "how many times smaller each side was", limits=(1, 64), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, factor: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        shrink = (area, bilinear, bicubic, lanczos)[int(torch.randint(4, (), generator=rng))]
        enlarge = (bilinear, bicubic)[int(torch.randint(2, (), generator=rng))]
        height, width = clean.shape[-2:]
        small = resize(clean, max(1, round(height / factor)), max(1, round(width / factor)), shrink)
        return resize(small.clamp(0, 1), height, width, enlarge).clamp(0, 1)


def resize(image: Tensor, height: int, width: int, kernel: Kernel) -> Tensor:
    """(..., H, W) -> (..., height, width), not clipped."""
    rows = resampling_matrix(image.shape[-2], height, kernel)
    columns = resampling_matrix(image.shape[-1], width, kernel)
    return rows @ image @ columns.T


def resampling_matrix(size: int, new_size: int, kernel: Kernel) -> Tensor:
    """(new_size, size): the share that each old pixel has in each new one; every row sums to one."""
    scale = size / new_size
    places = (torch.arange(new_size, dtype=torch.float64) + 0.5) * scale - 0.5
    distance = (places[:, None] - torch.arange(size, dtype=torch.float64)).abs()
    weights = kernel(distance, max(scale, 1.0))
    return (weights / weights.sum(1, keepdim=True)).float()


def area(distance: Tensor, stretch: float) -> Tensor:
    """How much of the pixel lies within the new one."""
    return (stretch / 2 + 0.5 - distance).clamp(0, 1)


def bilinear(distance: Tensor, stretch: float) -> Tensor:
    """1 - t below 1, t = distance / stretch."""
    return (1 - distance / stretch).clamp_min(0)


def bicubic(distance: Tensor, stretch: float) -> Tensor:
    """The cubic of Keys, 1981, with a = -0.5: 1.5 t^3 - 2.5 t^2 + 1 below 1, -0.5 t^3 + 2.5 t^2 - 4 t + 2 below 2."""
    t = (distance / stretch).clamp_max(2)
    near = (1.5 * t - 2.5) * t * t + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return torch.where(t < 1, near, far)


def lanczos(distance: Tensor, stretch: float) -> Tensor:
    """sinc(t) * sinc(t / 3) below 3."""
    t = distance / stretch
    return torch.sinc(t) * torch.sinc(t / 3) * (t < 3)
