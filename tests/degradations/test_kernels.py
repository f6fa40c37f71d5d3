import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.kernels import elliptic_kernel


@pytest.mark.parametrize(("turn", "is_wide"), [(0.0, True), (math.pi / 2, False)])
def test_the_long_axis_lies_along_the_turn(turn: float, is_wide: bool, moments: Callable) -> None:
    kernel = elliptic_kernel(lambda squared: torch.exp(-squared), sigma=1.5, ratio=3, turn=turn, reach=3)
    height, width = kernel.shape
    assert height % 2 == width % 2 == 1
    assert (width > 2 * height) == is_wide
    mean, covariance = moments(kernel)
    assert mean.abs().max() < 1e-5
    assert (covariance[1, 1] > 5 * covariance[0, 0]) == is_wide
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)


def test_it_ends_at_its_reach_and_not_before() -> None:
    kernel = elliptic_kernel(torch.ones_like, sigma=4.0, ratio=2, turn=0.6, reach=2.5)
    assert int((kernel > 0).sum()) == pytest.approx(math.pi * 10 * 20, rel=0.03)  # the area of the ellipse
