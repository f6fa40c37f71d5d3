from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from undegrade.inference.tiling import blend, combine, cut, survey

Scene = Callable[[int, int], NDArray[np.float32]]


def put_together(image: NDArray[np.float32], work, **sizes: int) -> NDArray[np.float32]:
    canvas = np.zeros_like(image)
    for row in cut(*image.shape[1:], **sizes):
        for tile in row:
            blend(canvas, tile, work(tile.crop(image)))
    return canvas


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    tile=st.integers(1, 10).map(lambda n: 8 * n),
    share=st.floats(0, 0.5),
)
def test_unchanged_tiles_give_the_picture_back(height: int, width: int, tile: int, share: float) -> None:
    image = np.random.default_rng(0).random((3, height, width), np.float32)
    sizes = {"tile": tile, "overlap": int(share * tile), "multiple": 8}
    np.testing.assert_allclose(put_together(image, lambda part: part, **sizes), image, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 3000), width=st.integers(1, 3000))
def test_tiles_are_of_one_size_within_bounds_and_cover_the_picture(height: int, width: int) -> None:
    grid = cut(height, width, multiple=16)
    tiles = [tile for row in grid for tile in row]
    sizes = {(tile.rows.size, tile.columns.size) for tile in tiles}
    assert len(sizes) == 1
    assert max(*sizes.pop()) <= 768
    assert sum(tile.area for tile in tiles) == pytest.approx(height * width, rel=1e-5)
    for tile in tiles:
        assert tile.top + tile.rows.size <= height
        assert tile.left + tile.columns.size <= width
        assert tile.rows.min() > 0
        assert tile.columns.min() > 0
    for before, after in zip(grid[0], grid[0][1:], strict=False):
        assert before.left + before.columns.size - after.left >= 64


def test_one_tile_is_the_picture_to_the_last_bit(scene: Scene) -> None:
    image = scene(700, 31)
    assert np.array_equal(put_together(image, lambda part: part), image)


@pytest.mark.parametrize(("height", "width"), [(97, 211), (130, 64), (333, 129)])
def test_a_constant_gain_leaves_no_seam(height: int, width: int, scene: Scene) -> None:
    image = scene(height, width)
    got = put_together(image, lambda part: np.float32(0.7) * part, tile=64, overlap=16)
    np.testing.assert_allclose(got, 0.7 * image, atol=1e-6)


def test_tiles_that_disagree_are_joined_by_a_slope_not_a_step() -> None:
    image = np.zeros((3, 20, 500), np.float32)
    shades = iter(np.linspace(0, 1, 100))
    got = put_together(image, lambda part: np.full_like(part, next(shades)), tile=100, overlap=40)
    step = 1 / 99
    assert np.abs(np.diff(got, axis=2)).max() < 0.06 * step  # a bare seam would be one step


def test_tiles_are_no_larger_than_needed() -> None:
    grid = cut(1000, 768, multiple=16)
    assert [(tile.top, tile.rows.size, tile.columns.size) for row in grid for tile in row] == [
        (0, 544, 768),
        (456, 544, 768),
    ]


def test_an_overlap_beyond_half_a_tile_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap is 40; it must be 0 to 32"):
        cut(100, 100, tile=64, overlap=40)


def test_the_survey_spreads_to_the_edges() -> None:
    grid = cut(4000, 6000)
    chosen = survey(grid)
    assert len(chosen) == 9
    assert {(grid[0][0].top, grid[0][0].left), (grid[-1][-1].top, grid[-1][-1].left)} <= {
        (tile.top, tile.left) for tile in chosen
    }
    small = cut(500, 1200)
    assert survey(small) == small[0]


def test_probabilities_count_by_area() -> None:
    first, second = cut(50, 100, tile=64, overlap=0)[0]
    wide = combine([np.float32([1, 0]), np.float32([0, 1])], [first, second])
    np.testing.assert_allclose(wide, [first.area / 5000, second.area / 5000], rtol=1e-6)
    assert wide.dtype == np.float32
