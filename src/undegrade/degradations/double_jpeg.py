"""JPEG compression twice, on two grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.images import jpeg_roundtrip

BLOCK = 8  # pixels, the side of the squares that JPEG transforms


@dataclass(frozen=True, kw_only=True)
class DoubleJpeg(Degradation):
    """Saved as JPEG, cropped, and saved again: y = S^-1 J2 S J1 x, J baseline JPEG, S a shift by part of a block.

    The shift, 0 to 7 pixels each way, and the chroma (4:4:4, 4:2:2 or 4:2:0) of each turn are drawn. Unlike one
    compression it leaves block edges on two grids, the first ones softened by the second.
    """

    label = "double_jpeg"
    family = "compression"
    first: tuple[float, float] = severity(
        10, 90, "libjpeg quality of the first turn", limits=(1, 100), whole=True, falling=True
    )
    second: tuple[float, float] = severity(
        10, 90, "libjpeg quality of the second turn", limits=(1, 100), whole=True, falling=True
    )

    def apply(self, clean: Tensor, rng: torch.Generator, *, first: float, second: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        down, right = (int(v) for v in torch.randint(BLOCK, (2,), generator=rng))
        chroma = [int(v) for v in torch.randint(3, (2,), generator=rng)]
        spoiled = []
        for pixels in clean.reshape(-1, *clean.shape[-3:]).numpy():
            once = jpeg_roundtrip(pixels, int(first), chroma=chroma[0])
            spoiled.append(torch.from_numpy(shifted_jpeg(once, int(second), down, right, chroma=chroma[1])))
        return torch.stack(spoiled).reshape(clean.shape)


def shifted_jpeg(
    pixels: NDArray[np.float32], quality: int, down: int, right: int, *, chroma: int
) -> NDArray[np.float32]:
    """(3, H, W) through JPEG whose blocks begin `down` and `right` pixels before the picture, its edge repeated."""
    moved = np.pad(pixels, ((0, 0), (down, 0), (right, 0)), mode="edge")
    return np.ascontiguousarray(jpeg_roundtrip(moved, quality, chroma=chroma)[:, down:, right:])
