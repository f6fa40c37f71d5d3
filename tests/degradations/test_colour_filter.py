import itertools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from undegrade.degradations.colour_filter import each_by_itself, fill


def test_missing_colours_are_weighted_means_of_the_measured_neighbours(grain: Callable) -> None:
    clean, kept, weights = grain(1, 3, 6, 7), grain(3, 6, 7, seed=1) < 0.4, grain(3, 3, 3, low=0.1, seed=2)
    filled = fill(clean, kept, weights)
    for colour, row, column in itertools.product(range(3), range(6), range(7)):
        near = [
            (weights[colour, y - row + 1, x - column + 1].item(), clean[0, colour, y, x].item())
            for y, x in itertools.product(range(row - 1, row + 2), range(column - 1, column + 2))
            if 0 <= y < 6 and 0 <= x < 7 and kept[colour, y, x]
        ]
        measured = kept[colour, row, column] or not near
        mean = sum(w * v for w, v in near) / sum(w for w, _ in near) if near else 0.0
        expected = clean[0, colour, row, column].item() if measured else mean
        assert filled[0, colour, row, column].item() == pytest.approx(expected, abs=1e-5)


def test_a_larger_window_is_used_only_where_the_smaller_has_no_sample(grain: Callable) -> None:
    clean = grain(1, 3, 1, 8)
    kept = torch.zeros(3, 1, 8, dtype=torch.bool)
    kept[:, :, 0] = kept[:, :, 3] = True
    filled = fill(clean, kept, torch.ones(3, 3, 3), torch.ones(3, 5, 5))
    source = torch.tensor([0, 0, 3, 3, 3, 3, 6, 7])  # the last two have no sample within reach: they stay
    torch.testing.assert_close(filled, clean[..., source])


@pytest.mark.parametrize("size", [1, 3, 5])
def test_each_colour_is_convolved_by_itself(size: int, grain: Callable) -> None:
    picture, window = grain(2, 3, 11, 14), grain(3, size, size)
    expected = F.conv2d(picture, window[:, None], padding=size // 2, groups=3)
    torch.testing.assert_close(each_by_itself(picture, window), expected)
