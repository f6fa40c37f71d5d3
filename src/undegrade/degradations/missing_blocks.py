"""Macro-blocks lost in transmission."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform

SIDES = (8, 16)  # pixels: the blocks of JPEG, the macro-blocks of the MPEG family
MEAN_RUN = 4  # blocks lost one after the other: a packet carries a stretch of a row
# What a decoder leaves: grey (all coefficients zero), green (Y = Cb = Cr = 0 by BT.601), black, the last good block.
FILLS = ((128 / 255,) * 3, (0.0, 135 / 255, 0.0), (0.0,) * 3, None)


@dataclass(frozen=True, kw_only=True)
class MissingBlocks(Degradation):
    """Square blocks of the grid are lost in runs along the rows: y = f where lost, x elsewhere, untouched.

    f is grey, the green of an empty YCbCr buffer, black, or the last good block to the left, repeated (error
    concealment); blocks of 8 or 16 pixels. Runs have geometric lengths, as losses of a fading channel have.
    """

    label = "missing_blocks"
    family = "damage"
    share: tuple[float, float] = severity(0.01, 0.25, "share of the blocks that is lost", limits=(1e-4, 0.9), log=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, share: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; the same blocks in all pictures of a batch."""
        height, width = clean.shape[-2:]
        side = SIDES[int(torch.randint(len(SIDES), (), generator=rng))]
        fill = FILLS[int(torch.randint(len(FILLS), (), generator=rng))]
        lost = draw_losses(-(-height // side), -(-width // side), share, rng)
        mask = lost.repeat_interleave(side, 0).repeat_interleave(side, 1)[:height, :width]
        if fill is not None:
            return torch.where(mask, torch.tensor(fill)[:, None, None], clean)
        across = torch.arange(width)
        source = last_good(lost).repeat_interleave(side, 1)[:, :width] * side + across % side
        source = source.clamp_max(width - 1).repeat_interleave(side, 0)[:height]
        # A row without one good block has nothing to repeat and stays black.
        empty = lost.all(1).repeat_interleave(side)[:height, None]
        return clean[..., torch.arange(height)[:, None], source] * ~empty


def draw_losses(rows: int, columns: int, share: float, rng: torch.Generator) -> Tensor:
    """(rows, columns) of bool: that share of the blocks, at least one, in runs that end with their row."""
    lost = torch.zeros(rows, columns, dtype=torch.bool)
    left = max(1, round(share * lost.numel()))
    while left > 0:
        row, column = int(uniform(rng, 0, rows)), int(uniform(rng, 0, columns))
        length = 1
        while length < left and uniform(rng, 0, 1) > 1 / MEAN_RUN:
            length += 1
        run = lost[row, column : column + length]
        left -= int((~run).sum())
        run[:] = True
    return lost


def last_good(lost: Tensor) -> Tensor:
    """(rows, columns): the column of the nearest block to the left that is not lost, or else the row's first."""
    columns = torch.arange(lost.shape[1]).expand_as(lost)
    last = torch.where(lost, -1, columns).cummax(1).values
    first = lost.long().argmin(1, keepdim=True)
    return torch.where(last < 0, first, last)
