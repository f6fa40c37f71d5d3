from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.xtrans_mosaic import XTransMosaic


def test_each_pixel_keeps_one_colour_in_a_pattern_of_6_by_6(grain: Callable, seeded: Callable) -> None:
    clean, patterns = grain(3, 18, 24), set()
    for seed in range(30):
        kept = XTransMosaic().apply(clean, seeded(seed)) == clean
        assert (kept.sum(0) == 1).all()
        tile = kept[:, :6, :6]
        assert torch.equal(kept, tile.repeat(1, 3, 4))
        assert tile.sum((1, 2)).tolist() == [8, 20, 8]
        assert tile.any(1).all()  # every column, and
        assert tile.any(2).all()  # every row has every colour: why this pattern folds less than Bayer's
        green_square = kept[1, :-1, :-1] & kept[1, 1:, :-1] & kept[1, :-1, 1:] & kept[1, 1:, 1:]
        assert green_square.any()
        patterns.add(tuple(tile[0].flatten().tolist()))
    assert len(patterns) > 10  # of 36, some of which share their red


def test_missing_colours_are_means_of_the_nearest_samples(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 24, 24)
    filled = XTransMosaic().apply(clean, seeded(0))
    kept = filled == clean
    wide = 0
    for y in range(8, 14):
        for x in range(8, 14):
            for channel in range(3):
                if kept[channel, y, x]:
                    continue
                for reach in (1, 2):
                    window = [(v, u) for v in range(-reach, reach + 1) for u in range(-reach, reach + 1)]
                    samples = [(v, u) for v, u in window if kept[channel, y + v, x + u]]
                    if samples:
                        break
                wide += reach == 2
                weights = [1 / (v * v + u * u) for v, u in samples]
                values = [clean[channel, y + v, x + u].item() for v, u in samples]
                mean = sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)
                assert filled[channel, y, x].item() == pytest.approx(mean, abs=1e-6)
    assert wide == 0  # 3 x 3 pixels hold every colour; only at the border they do not


def test_constant_colour_passes(seeded: Callable) -> None:
    flat = torch.tensor([0.2, 0.5, 0.9])[:, None, None].expand(3, 17, 20)
    for seed in range(4):
        torch.testing.assert_close(XTransMosaic().apply(flat, seeded(seed)), flat, atol=1e-6, rtol=0)


def test_a_picture_one_pixel_wide_loses_no_colour(seeded: Callable) -> None:
    flat = torch.tensor([0.2, 0.5, 0.9])[:, None, None].expand(3, 1, 1)
    for seed in range(4):
        torch.testing.assert_close(XTransMosaic().apply(flat, seeded(seed)), flat)
