from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.watermark import Watermark, repeated_mark


def test_the_picture_can_be_computed_back_where_mask_and_colour_are_known(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 96, 128)
    black, white = torch.zeros(3, 96, 128), torch.ones(3, 96, 128)
    for seed in range(4):
        # On black it shows opacity * colour * mask, on white 1 - opacity * (1 - colour) * mask.
        low, high = (Watermark().apply(flat, seeded(seed), opacity=0.6, height=14.0) for flat in (black, white))
        out = Watermark().apply(clean, seeded(seed), opacity=0.6, height=14.0)
        torch.testing.assert_close((out - low) / (high - low), clean, atol=1e-5, rtol=0)
        assert (high - low).min().item() == pytest.approx(0.4, abs=1e-5)
        assert (high - low).max().item() == pytest.approx(1, abs=1e-5)


def test_no_part_of_the_picture_is_without_it(seeded: Callable) -> None:
    for seed in range(5):
        mask = repeated_mark(256, 256, 1.5, seeded(seed))
        corners = mask.reshape(2, 128, 2, 128).mean((1, 3))
        assert (corners > 0.02).all()
        assert corners.max() < 2 * corners.min()
