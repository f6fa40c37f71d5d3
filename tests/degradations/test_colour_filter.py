from collections.abc import Callable

import torch

from undegrade.degradations.colour_filter import fill
from undegrade.degradations.mosaic import GREEN, RED_OR_BLUE, Mosaic


def test_a_bayer_mask_gives_the_bilinear_mosaic(grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 13, 14)
    for seed in range(3):
        expected = Mosaic().apply(clean, seeded(seed))
        kept = (expected == clean).all(0)
        torch.testing.assert_close(fill(clean, kept, torch.tensor((RED_OR_BLUE, GREEN, RED_OR_BLUE))), expected)


def test_a_larger_window_is_used_only_where_the_smaller_has_no_sample(grain: Callable) -> None:
    clean = grain(1, 3, 1, 8)
    kept = torch.zeros(3, 1, 8, dtype=torch.bool)
    kept[:, :, 0] = kept[:, :, 3] = True
    filled = fill(clean, kept, torch.ones(3, 3, 3), torch.ones(3, 5, 5))
    source = torch.tensor([0, 0, 3, 3, 3, 3, 6, 7])  # the last two have no sample within reach: they stay
    torch.testing.assert_close(filled, clean[..., source])
