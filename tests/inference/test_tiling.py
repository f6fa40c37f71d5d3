from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from undegrade.inference.tiling import Box, bands, cut, samples

Scene = Callable[[int, int], NDArray[np.float32]]


def part_of(image: NDArray[np.float32], top: int, left: int, height: int, width: int) -> NDArray[np.float32]:
    return image[:, top : top + height, left : left + width]


def put_together(image: NDArray[np.float32], work, **sizes: Any) -> NDArray[np.float32]:
    grid = cut(*image.shape[1:], **sizes)
    return np.concatenate(list(bands(grid, partial(part_of, image), work)), axis=1)


@settings(max_examples=100, deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    tile=st.integers(2, 10).map(lambda n: 8 * n),
    share=st.floats(0, 0.5),
    inner=st.floats(0, 0.5),
)
def test_unchanged_tiles_give_the_picture_back(height: int, width: int, tile: int, share: float, inner: float) -> None:
    image = np.random.default_rng(0).random((3, height, width), np.float32)
    overlap = int(share * (tile - 8))
    sizes = {"tile": (tile, tile), "overlap": overlap, "margin": int(inner * overlap), "multiple": 8}
    np.testing.assert_allclose(put_together(image, lambda part: part, **sizes), image, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 200), width=st.integers(1, 200), steps=st.integers(1, 4))
def test_what_reaches_no_farther_than_the_margin_is_the_same_tiled_and_whole(
    height: int, width: int, steps: int
) -> None:
    """`steps` times the mean of five neighbours, with zeros beyond the border, as in a network; it reaches `steps`."""

    def blur(part: NDArray[np.float32]) -> NDArray[np.float32]:
        for _ in range(steps):
            wide = np.pad(part, ((0, 0), (1, 1), (1, 1)))
            part = (part + wide[:, 2:, 1:-1] + wide[:, :-2, 1:-1] + wide[:, 1:-1, 2:] + wide[:, 1:-1, :-2]) / 5
        return part.astype(np.float32)

    image = np.random.default_rng(0).random((3, height, width), np.float32)
    tiled = put_together(image, blur, tile=(64, 64), overlap=16, margin=steps, multiple=4)
    np.testing.assert_allclose(tiled, blur(image), atol=1e-6)
    if max(height, width) > 64:
        alone = put_together(image, blur, tile=(64, 64), overlap=16, margin=0, multiple=4)
        assert np.abs(alone - blur(image)).max() > 1e-5


def test_only_a_row_of_tiles_is_asked_for_at_a_time_from_top_to_bottom() -> None:
    asked = []

    def read(top: int, left: int, height: int, width: int) -> NDArray[np.float32]:
        assert (left, width) == (0, 50)
        asked.append((top, height))
        return np.ones((3, height, width), np.float32)

    heights = [
        band.shape[1] for band in bands(cut(1000, 50, tile=(64, 64), overlap=16, margin=4), read, lambda part: part)
    ]
    assert sum(heights) == 1000
    assert max(heights) <= 64
    assert asked == sorted(asked)
    assert max(height for _, height in asked) <= 64


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 3000), width=st.integers(1, 3000))
def test_tiles_begin_at_multiples_overlap_enough_and_cover_the_picture(height: int, width: int) -> None:
    grid = cut(height, width, tile=(512, 512), multiple=16)
    tiles = [tile for row in grid for tile in row]
    assert max(max(tile.rows.size, tile.columns.size) for tile in tiles) <= 512
    assert all(tile.top % 16 == tile.left % 16 == 0 for tile in tiles)
    assert len({(-(-tile.rows.size // 16), -(-tile.columns.size // 16)) for tile in tiles}) == 1  # once padded
    for axis, length in (([(row[0].top, row[0].rows.size) for row in grid], height),
                         ([(tile.left, tile.columns.size) for tile in grid[0]], width)):  # fmt: skip
        assert axis[0][0] == 0
        assert sum(axis[-1]) == length
        assert len({size for _, size in axis[:-1]}) <= 1
        for (start, size), (following, _) in pairwise(axis):
            assert start + size - following >= 32


def test_one_tile_is_the_picture_to_the_last_bit(scene: Scene) -> None:
    image = scene(500, 31)
    assert np.array_equal(put_together(image, lambda part: part, tile=(512, 512)), image)


@pytest.mark.parametrize(("height", "width"), [(97, 211), (130, 64), (333, 129)])
def test_a_constant_gain_leaves_no_seam(height: int, width: int, scene: Scene) -> None:
    image = scene(height, width)
    got = put_together(image, lambda part: np.float32(0.7) * part, tile=(64, 64), overlap=16, margin=4)
    np.testing.assert_allclose(got, 0.7 * image, atol=1e-6)


def test_tiles_that_disagree_are_joined_by_a_slope_not_a_step() -> None:
    image = np.zeros((3, 20, 500), np.float32)
    shades = iter(np.linspace(0, 1, 100))
    got = put_together(image, lambda part: np.full_like(part, next(shades)), tile=(100, 100), overlap=40, margin=0)
    step = 1 / 99
    assert np.abs(np.diff(got, axis=2)).max() < 0.06 * step  # a bare seam would be one step


def test_tiles_are_no_larger_than_needed() -> None:
    grid = cut(1000, 768, tile=(768, 768), multiple=16)
    found = [(tile.top, tile.rows.size, tile.columns.size) for row in grid for tile in row]
    assert found == [(0, 544, 768), (464, 536, 768)]


def test_the_margin_does_not_count() -> None:
    first, second = cut(20, 100, tile=(64, 64), overlap=20, margin=6)[0]
    shared = first.columns.size - second.left
    assert not first.columns[-6:].any()
    assert not second.columns[:6].any()
    np.testing.assert_allclose(first.columns[-shared:] + second.columns[:shared], 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"tile": (64, 64), "overlap": 40}, "overlap is 40; it must be 0 to 32"),
        ({"tile": (64, 64), "overlap": 20, "margin": 11}, "margin is 11; it must be 0 to 10"),
        (
            {"tile": (60, 60), "overlap": 20, "margin": 1, "multiple": 16},
            r"tile is \(60, 60\); its sides must be multiples of 16, at least",
        ),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cut(100, 100, **sizes)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 5000), width=st.integers(1, 5000))
def test_samples_spread_to_the_edges(height: int, width: int) -> None:
    grid = samples(height, width, multiple=16)
    boxes = [box for row in grid for box in row]
    assert len(boxes) <= 9
    assert all(box.top % 16 == box.left % 16 == 0 for box in boxes)
    assert all(box.top + box.height <= height and box.left + box.width <= width for box in boxes)
    assert (boxes[0].top, boxes[0].left) == (0, 0)
    assert height - (boxes[-1].top + boxes[-1].height) < 16
    assert width - (boxes[-1].left + boxes[-1].width) < 16
    assert [box.top for box in boxes] == sorted(box.top for box in boxes)
    if max(height, width) <= 256:
        assert boxes == [Box(top=0, left=0, height=height, width=width)]
