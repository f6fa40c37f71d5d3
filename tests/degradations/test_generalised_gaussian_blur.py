import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.convolution import gaussian_kernel
from undegrade.degradations.generalised_gaussian_blur import GeneralisedGaussianBlur, generalised_gaussian


@pytest.mark.parametrize("shape", [1.0, 1.5, 2.0, 4.0])
def test_the_kernel_has_the_variance_of_its_shape(shape: float, moments: Callable) -> None:
    sigma = 6.0
    _, covariance = moments(generalised_gaussian(sigma, ratio=1, shape=shape, turn=0))
    # E r^2 of the density exp(-0.5 r^(2 b)) in the plane, half of it along each axis.
    variance = sigma**2 * 2 ** (1 / shape) * math.gamma(2 / shape) / math.gamma(1 / shape) / 2
    assert covariance[0, 0].item() == pytest.approx(variance, rel=0.02)
    assert covariance[1, 1].item() == pytest.approx(variance, rel=0.02)


def test_shape_one_is_the_gaussian() -> None:
    ours, plain = generalised_gaussian(2.0, ratio=1, shape=1, turn=0), gaussian_kernel(2.0)
    across, plain_across = (k[k.shape[0] // 2, k.shape[1] // 2 :][:6] for k in (ours, plain))
    torch.testing.assert_close(across / across[0], plain_across / plain_across[0])


def test_every_shape_has_the_same_value_at_one_sigma() -> None:
    for shape in (0.6, 1.0, 4.0):
        kernel = generalised_gaussian(5.0, ratio=1, shape=shape, turn=0)
        middle = kernel.shape[0] // 2
        assert (kernel[middle, middle + 5] / kernel.max()).item() == pytest.approx(math.exp(-0.5), rel=1e-4)


def test_nothing_flat_is_changed(seeded: Callable) -> None:
    flat = torch.full((3, 20, 24), 0.37)
    blurred = GeneralisedGaussianBlur().apply(flat, seeded(0), sigma=2.0, ratio=2.0, shape=0.6)
    torch.testing.assert_close(blurred, flat, atol=1e-5, rtol=0)
