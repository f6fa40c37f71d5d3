"""Pixelation: blocks of one colour."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity


@dataclass(frozen=True, kw_only=True)
class Pixelation(Degradation):
    """Each block of n x n pixels takes its mean colour: y(p) = mean of x over the block of p, in display values.

    Where the blocks begin is drawn, as in a cut-out of a larger picture; those at the borders may be partial.
    """

    label = "pixelation"
    family = "resolution"
    block: tuple[float, float] = severity(2, 16, "side of a block, pixels", limits=(1, 256), log=True, whole=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, block: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        side = int(block)
        phases = torch.randint(side, (2,), generator=rng)
        rows, columns = ((torch.arange(n) + p) // side for n, p in zip(clean.shape[-2:], phases, strict=True))
        small = averaging(rows) @ clean @ averaging(columns).T
        return small[..., rows, :][..., columns].clamp(0, 1)


def averaging(blocks: Tensor) -> Tensor:
    """(number of blocks, n): the matrix that takes the mean of each block, given the block of each of n pixels."""
    member = (blocks == torch.arange(int(blocks[-1]) + 1)[:, None]).float()
    return member / member.sum(1, keepdim=True)
