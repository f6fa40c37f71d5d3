import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.light import to_linear
from undegrade.degradations.motion_blur import MotionBlur, camera_path

every_path = pytest.mark.parametrize(("length", "shake"), [(3.0, 0.0), (8.0, 0.4), (21.0, 0.0), (21.0, 1.0), (60, 0.7)])


@every_path
def test_a_path_is_a_centred_distribution(length: float, shake: float, seeded: Callable, moments: Callable) -> None:
    for seed in range(5):
        kernel = camera_path(seeded(seed), length=length, shake=shake)
        assert kernel.shape[0] == kernel.shape[1]
        assert kernel.shape[0] % 2 == 1
        assert kernel.min() >= 0
        assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
        centre, _ = moments(kernel)
        assert centre.abs().max() < 1e-3


@every_path
def test_the_extent_is_the_length(length: float, shake: float, seeded: Callable) -> None:
    """A path of height h and width w, h * h + w * w = length squared, touches h to h + 2 rows and so on."""
    for seed in range(5):
        kernel = camera_path(seeded(seed), length=length, shake=shake)
        spans = []
        for axis in (1, 0):
            touched = (kernel.sum(axis) > 1e-6).nonzero()
            spans.append((touched.max() - touched.min()).item())
        assert math.hypot(*(max(0, span - 2) for span in spans)) <= length <= math.hypot(*spans) + 0.01


def test_without_shake_it_is_a_straight_even_line(seeded: Callable, moments: Callable) -> None:
    for seed in range(5):
        _, covariance = moments(camera_path(seeded(seed), length=30, shake=0))
        across, along = torch.linalg.eigvalsh(covariance).tolist()
        assert across < 0.26  # what sharing among four pixels adds
        assert math.sqrt(along) == pytest.approx(30 / math.sqrt(12), rel=0.03)


def test_with_shake_it_leaves_the_line(seeded: Callable, moments: Callable) -> None:
    across = [torch.linalg.eigvalsh(moments(camera_path(seeded(s), length=30, shake=1))[1])[0] for s in range(10)]
    assert sum(value > 2 for value in across) >= 7


def test_directions_are_spread_over_the_circle(seeded: Callable, moments: Callable) -> None:
    covariances = [moments(camera_path(seeded(s), length=20, shake=0))[1] for s in range(40)]
    tall = sum((c[0, 0] > c[1, 1]).item() for c in covariances)
    slanted = sum((c[0, 1] > 0).item() for c in covariances)
    assert 10 <= tall <= 30
    assert 10 <= slanted <= 30


def test_a_point_of_light_draws_the_path_in_linear_light(seeded: Callable) -> None:
    dark = torch.zeros(3, 41, 41)
    dark[:, 20, 20] = 1
    trail = to_linear(MotionBlur().apply(dark, seeded(4), length=15.0, shake=0.5))
    kernel = camera_path(seeded(4), length=15.0, shake=0.5)
    reach = kernel.shape[0] // 2
    middle = trail[:, 20 - reach : 21 + reach, 20 - reach : 21 + reach]
    torch.testing.assert_close(middle, kernel.expand(3, -1, -1), atol=1e-5, rtol=0)
    assert trail.sum().item() == pytest.approx(3, abs=1e-2)


def test_no_length_is_no_blur(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 20, 24)
    torch.testing.assert_close(MotionBlur().apply(clean, seeded(0), length=0.0, shake=0.5), clean, atol=1e-3, rtol=0)


def test_pictures_of_a_batch_share_the_path(grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 32, 32)
    spoiled = MotionBlur().apply(clean, seeded(1), length=9.0, shake=0.5)
    alone = MotionBlur().apply(clean[1], seeded(1), length=9.0, shake=0.5)
    torch.testing.assert_close(spoiled[1], alone)
