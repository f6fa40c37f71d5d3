from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.pixelation import Pixelation


@pytest.mark.parametrize("side", [2, 5, 40])
def test_blocks_have_one_colour_which_is_their_mean(side: int, grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 23, 31)
    spoiled = Pixelation().apply(clean, seeded(3), block=float(side))
    down, right = (int(v) for v in torch.randint(side, (2,), generator=seeded(3)))
    tops, lefts = range(-down, 23, side), range(-right, 31, side)
    for top in tops:
        for left in lefts:
            rows, columns = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
            block = spoiled[..., rows, columns]
            assert torch.equal(block, block[..., :1, :1].expand_as(block))
            mean = clean[..., rows, columns].mean((-2, -1))
            torch.testing.assert_close(block[..., 0, 0], mean, atol=1e-5, rtol=0)


def test_twice_is_once_and_single_pixels_change_nothing(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 20, 26)
    once = Pixelation().apply(clean, seeded(1), block=6.0)
    torch.testing.assert_close(Pixelation().apply(once, seeded(1), block=6.0), once)
    assert torch.equal(Pixelation().apply(clean, seeded(0), block=1.0), clean)


def test_every_phase_is_drawn(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 16, 16)
    seen = {tuple(Pixelation().apply(clean, seeded(s), block=2.0).flatten().tolist()) for s in range(40)}
    assert len(seen) == 4
