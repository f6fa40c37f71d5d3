from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.convolution import convolve
from undegrade.degradations.depth_blur import RADII, DepthBlur, blur_by, disc


@pytest.mark.parametrize("radius", [2.0, 3.5, 6.0])
def test_the_disc_sums_to_one_and_has_a_discs_variance(radius: float, moments: Callable) -> None:
    kernel = disc(radius)
    mean, covariance = moments(kernel)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
    assert mean.abs().max() < 1e-5
    assert covariance[0, 0].item() == pytest.approx(radius**2 / 4 + 0.104, abs=0.08)  # the ramp of its edge adds
    assert torch.equal(disc(0.3), torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]))


def test_what_is_in_focus_is_exactly_as_it_was(grain: Callable) -> None:
    light, share = grain(3, 32, 40), torch.ones(1, 32, 40)
    share[:, 10:20] = 0
    blurred = blur_by(light, share, 4.0)
    assert torch.equal(blurred[:, 10:20], light[:, 10:20])
    torch.testing.assert_close(blurred[:, 20:], convolve(light, disc(4.0))[:, 20:])


@pytest.mark.parametrize("share", [0.05, 0.2, 0.3, 0.6, 0.9, *RADII[1:]])
def test_between_two_copies_the_variance_is_that_of_the_disc_asked_for(share: float, moments: Callable) -> None:
    dot = torch.zeros(3, 81, 81)
    dot[:, 40, 40] = 1
    spread = blur_by(dot, torch.full((1, 81, 81), share), 30.0)[0]
    _, covariance = moments(spread)
    assert spread.sum().item() == pytest.approx(1, abs=1e-4)
    assert covariance[0, 0].item() == pytest.approx((30 * share) ** 2 / 4, rel=0.05)


def test_some_of_each_picture_is_sharp_and_some_is_not(grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 96, 96)
    for seed in range(4):
        change = (DepthBlur().apply(clean, seeded(seed), radius=6.0) - clean).abs().mean(1)
        local = torch.nn.functional.avg_pool2d(change, 4).flatten(1)
        assert (local.amin(1) < 0.1 * local.amax(1)).all()
