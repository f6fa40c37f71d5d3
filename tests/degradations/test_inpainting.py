from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.degradations.inpainting import Scratches

SIDE = 96


def left_over(seeded: Callable, seed: int, count: float, thickness: float) -> tuple[Tensor, Tensor]:
    """What of each pixel shows through the scratches (H, W), 1 = all, and what they add to it (H, W)."""
    black, white = (
        Scratches().apply(torch.full((3, SIDE, SIDE), v), seeded(seed), count=count, thickness=thickness)[0]
        for v in (0.0, 1.0)
    )
    return (white - black).double(), black


@pytest.mark.parametrize(("count", "thickness"), [(1.0, 1.0), (5.0, 3.5), (10.0, 6.0)])
def test_pixels_outside_the_mask_are_bit_identical(
    count: float, thickness: float, grain: Callable, seeded: Callable
) -> None:
    for seed in range(3):
        shown, _ = left_over(seeded, seed, count, thickness)
        outside = shown == 1
        assert 0.2 < outside.double().mean() < 1
        clean = grain(3, SIDE, SIDE, seed=seed)
        spoiled = Scratches().apply(clean, seeded(seed), count=count, thickness=thickness)
        assert torch.equal(spoiled[:, outside], clean[:, outside])
        assert ((spoiled - clean).abs().amax(0) > 0)[shown < 0.99].all()


def test_it_is_the_picture_times_what_shows_plus_the_paint(grain: Callable, seeded: Callable) -> None:
    shown, paint = left_over(seeded, 1, 6.0, 4.0)
    clean = grain(3, SIDE, SIDE)
    spoiled = Scratches().apply(clean, seeded(1), count=6.0, thickness=4.0)
    torch.testing.assert_close(spoiled.double(), clean * shown + paint, atol=1e-5, rtol=0)


def test_paint_is_nearly_white_or_nearly_black(seeded: Callable) -> None:
    tones = []
    for seed in range(12):
        shown, paint = left_over(seeded, seed, 1.0, 5.0)
        covered = paint[shown.abs() < 1e-6]
        if len(covered):  # the scratch did not leave the picture at once
            assert covered.max() - covered.min() < 1e-6
            tones.append(covered[0].item())
    assert all(tone <= 0.1 or tone >= 0.88 for tone in tones)
    assert any(tone <= 0.1 for tone in tones)
    assert any(tone >= 0.88 for tone in tones)


def test_a_line_is_as_thick_as_stated(seeded: Callable) -> None:
    thin, thick = (sum((1 - left_over(seeded, seed, 1.0, t)[0]).sum().item() for seed in range(12)) for t in (1.0, 6.0))
    # The area of a line is length times thickness; round ends add a little to the thick one.
    assert thick / thin == pytest.approx(6, rel=0.1)


def test_more_scratches_cover_more(seeded: Callable) -> None:
    covered = [
        sum((1 - left_over(seeded, seed, c, 3.0)[0]).sum().item() for seed in range(4)) for c in (1.0, 4.0, 10.0)
    ]
    assert 2 * covered[0] < covered[1] < covered[2]


def test_only_whole_scratches_are_drawn(seeded: Callable) -> None:
    rng = seeded(0)
    assert {Scratches(count=(2, 4)).sample(rng)["count"] for _ in range(40)} == {2.0, 3.0, 4.0}


def test_no_scratch_no_change(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 16, 16)
    assert torch.equal(Scratches().apply(clean, seeded(0), count=0.0, thickness=3.0), clean)
