"""Blocks of which JPEG has left nothing but their mean are a surface again."""

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.deblocking.flat import PASSES, surface

Pixels = NDArray[np.float32]
STEP = 8.0


def ramp(height: int, width: int, slope: float) -> Pixels:
    """Levels (8 h, 8 w) that rise by so many steps a block downwards, and half as fast to the right."""
    down, across = np.mgrid[: 8 * height, : 8 * width] / 8
    return (slope * STEP * (down + across / 2)).astype(np.float32)


def rounded_means(plane: Pixels) -> Pixels:
    means = plane.reshape(plane.shape[0] // 8, 8, -1, 8).mean((1, 3))
    return (np.round(means / STEP) * STEP).astype(np.float32)


def jumps(plane: Pixels) -> float:
    """The largest difference of two neighbours, away from the border."""
    inner = plane[16:-16, 16:-16]
    return float(max(np.abs(np.diff(inner, axis=axis)).max() for axis in (0, 1)))


@pytest.mark.parametrize("slope", [0.2, 0.5, 0.9])
def test_a_ramp_is_smooth_and_nearer_to_the_truth(slope: float) -> None:
    true = ramp(12, 10, slope)
    means = rounded_means(true)
    drawn, known = surface(means, np.ones(means.shape, bool), STEP)
    assert known[16:-16, 16:-16].min() == 1
    steps = means.repeat(8, 0).repeat(8, 1)
    assert drawn.shape == true.shape
    assert np.square(drawn - true).mean() < 0.5 * np.square(steps - true).mean()
    assert jumps(drawn) < 0.25 * STEP <= 0.25 * jumps(steps)


def test_no_mean_goes_where_it_would_have_been_rounded_to_another() -> None:
    means = STEP * np.random.default_rng(0).integers(0, 2, (9, 9)).astype(np.float32)
    drawn, _ = surface(means, np.ones(means.shape, bool), STEP)
    middles = drawn.reshape(9, 8, 9, 8)[:, 3:5, :, 3:5].mean((1, 3))
    assert np.abs(middles - means).max() <= 0.7 * STEP  # half a step, and a little of the neighbours
    assert 0 <= drawn.min() < drawn.max() <= STEP


def test_edges_and_what_is_not_flat_part_surfaces() -> None:
    means = np.zeros((6, 8), np.float32)
    means[3:, 4:] = 2 * STEP  # a corner
    everywhere = np.ones(means.shape, bool)
    drawn, known = surface(means, everywhere, STEP)
    np.testing.assert_array_equal(drawn, means.repeat(8, 0).repeat(8, 1))
    at_the_edge = known[24:, [31, 32]]
    assert at_the_edge.max() < 0.2
    assert known[:16, :24].min() > 0.7
    means[:, 4:] = STEP
    assert jumps(surface(means, everywhere, STEP)[0]) < 0.25 * STEP
    parted = everywhere.copy()
    parted[:, 4] = False
    drawn, known = surface(means, parted, STEP)
    np.testing.assert_array_equal(drawn[:, :32], 0)
    assert known[:, 32:40].max() == 0  # there is nothing to be known of it
    alone = np.zeros((3, 3), bool)
    alone[1, 1] = True
    assert surface(means[:3, :3], alone, STEP)[1].max() == 0


def test_what_lies_far_away_does_not_count() -> None:
    means = STEP * np.random.default_rng(1).integers(0, 2, (20, 20)).astype(np.float32)
    everywhere = np.ones(means.shape, bool)
    inside = 8 * (12 - PASSES - 1)
    for part, whole in zip(surface(means[:12], everywhere[:12], STEP), surface(means, everywhere, STEP), strict=True):
        np.testing.assert_allclose(part[:inside], whole[:inside], atol=1e-4)
