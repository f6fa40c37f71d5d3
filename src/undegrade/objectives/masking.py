"""Which squares of a training patch are shown, and which are hidden."""

from __future__ import annotations

import torch
from torch import Tensor

from undegrade.batch import Batch
from undegrade.errors import UndegradeError


def draw_masks(batch: Batch, patch: int, ratio: float) -> Tensor:
    """(B, 1, H / patch, W / patch), true where a square of `patch` pixels a side is shown; on the pictures' device.

    Of each picture round(squares * (1 - ratio)) are shown, drawn from its number in the training data: a run that is
    resumed, or shared out to several processes, hides the same ones.

    Raises:
        UndegradeError: the pictures' sides are no multiples of `patch`.
    """
    height, width = batch.degraded.shape[-2:]
    if height % patch or width % patch:
        raise UndegradeError(
            f"the mask's squares have {patch} pixels a side and the training patches {height} x {width}; "
            "set the stage's crop to a multiple of the objective's patch"
        )
    rows, columns = height // patch, width // patch
    shown = round(rows * columns * (1 - ratio))
    masks = torch.zeros(len(batch.label), rows * columns, dtype=torch.bool)
    for mask, number in zip(masks, batch.numbers or range(len(masks)), strict=True):
        rng = torch.Generator().manual_seed(number)
        mask[torch.rand(rows * columns, generator=rng).argsort()[:shown]] = True
    return masks.view(-1, 1, rows, columns).to(batch.degraded.device)


def check_masking(config: object, patch: int, ratio: float) -> None:
    """Refuse squares without a pixel, and a share of hidden ones that leaves nothing to see or to guess.

    Raises:
        ValueError: names the field, its value and the permitted range.
    """
    name = type(config).__qualname__
    if patch < 1:
        raise ValueError(f"{name}.patch is {patch}; it must be at least 1")
    if not 0 < ratio < 1:
        raise ValueError(f"{name}.ratio is {ratio}; it must be above 0 and below 1")


def check_patch(patch: int, size_multiple: int) -> None:
    """Refuse squares that are cut by the network's coarsest map.

    Raises:
        UndegradeError: `patch` is no multiple of the network's `size_multiple`.
    """
    if patch % size_multiple:
        raise UndegradeError(
            f"objective.patch is {patch}; it must be a multiple of {size_multiple} for this network, "
            "so that a square is whole at its coarsest level"
        )
