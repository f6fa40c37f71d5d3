from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.missing_blocks import FILLS, SIDES, MissingBlocks, draw_losses, last_good


def kinds(seeded: Callable, seed: int) -> tuple[int, object]:
    """The side of the blocks and their filling that this seed draws first."""
    rng = seeded(seed)
    side, fill = (int(torch.randint(len(c), (), generator=rng)) for c in (SIDES, FILLS))
    return SIDES[side], FILLS[fill]


def by_block(changed: Tensor, side: int) -> Tensor:
    """(rows, columns): the share of changed pixels in each whole block."""
    return F.avg_pool2d(changed.float()[None], side)[0]


def test_whole_blocks_are_filled_and_all_others_are_untouched(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 96, 128, low=0.05, high=0.45)
    for seed in range(12):
        side, fill = kinds(seeded, seed)
        out = MissingBlocks().apply(clean, seeded(seed), share=0.2)
        changed = (out != clean).any(0)
        blocks = by_block(changed, side)
        assert ((blocks == 0) | (blocks == 1)).all()
        assert blocks.mean().item() == pytest.approx(0.2, abs=0.6 / blocks.numel())
        if fill is not None:
            assert torch.equal(out[:, changed], torch.tensor(fill)[:, None].expand(3, int(changed.sum())))


def test_a_repeated_block_is_the_nearest_good_one(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 64, 96)
    seed = next(s for s in range(40) if kinds(seeded, s) == (16, None))
    out = MissingBlocks().apply(clean, seeded(seed), share=0.3)
    for row in range(4):
        good = None
        for column in range(6):
            place = (slice(None), slice(16 * row, 16 * row + 16), slice(16 * column, 16 * column + 16))
            if torch.equal(out[place], clean[place]):
                good = clean[place]
            elif good is not None:
                assert torch.equal(out[place], good)


@pytest.mark.parametrize(("lost", "sources"), [([0, 1, 1, 0], [0, 0, 0, 3]), ([1, 1, 0, 1], [2, 2, 2, 2])])
def test_the_source_lies_to_the_left_or_else_is_the_first(lost: list[int], sources: list[int]) -> None:
    assert last_good(torch.tensor([lost]).bool()).tolist() == [sources]


def test_losses_come_in_runs_along_the_rows(seeded: Callable) -> None:
    lost = draw_losses(60, 60, 0.1, seeded(0))
    along = (lost[:, 1:] & lost[:, :-1]).float().mean()
    across = (lost[1:] & lost[:-1]).float().mean()
    assert lost.sum() == 360
    assert along > 3 * across
