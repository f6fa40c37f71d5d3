import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.convolution import convolve, enlarge, gaussian_kernel, line_kernel, smooth_field, soften


def kernel(height: int, width: int) -> Tensor:
    return torch.rand(height, width, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize(("reflect", "mode"), [(True, "reflect"), (False, "constant")])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (5, 9), (21, 7)])
def test_it_is_the_sum_of_the_definition(grain: Callable, reflect: bool, mode: str, size: tuple[int, int]) -> None:
    image, k = grain(2, 3, 23, 37), kernel(*size)
    padded = F.pad(image, (size[1] // 2, size[1] // 2, size[0] // 2, size[0] // 2), mode=mode)
    # Torch's convolution does not flip the kernel.
    expected = F.conv2d(padded.reshape(6, 1, *padded.shape[-2:]), k.flip(0, 1)[None, None]).reshape(image.shape)
    torch.testing.assert_close(convolve(image, k, reflect=reflect), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(33, 5), (5, 33), (41, 41)])
def test_a_kernel_larger_than_the_picture_keeps_size_and_constants(size: tuple[int, int]) -> None:
    k = kernel(*size)
    flat = torch.full((3, 16, 16), 0.3)
    torch.testing.assert_close(convolve(flat, k / k.sum()), flat)


def test_gaussian_has_its_deviation(moments: Callable) -> None:
    for sigma in (1.0, 2.5, 4.0):
        k = gaussian_kernel(sigma)
        assert k.sum().item() == pytest.approx(1, abs=1e-6)
        centre, covariance = moments(k)
        assert centre.abs().max() < 1e-6
        # Cut at three deviations, a bell loses 2.7 per cent of its variance.
        torch.testing.assert_close(covariance, torch.eye(2).double() * sigma**2, rtol=0.035, atol=1e-6)


@pytest.mark.parametrize("angle", [-60.0, -20.0, 0.0, 35.0])
def test_a_streak_has_its_length_and_its_angle_from_straight_down(angle: float, moments: Callable) -> None:
    k = line_kernel(24, angle, 1)
    assert k.sum().item() == pytest.approx(1, abs=1e-5)
    centre, covariance = moments(k)
    assert centre.abs().max() < 1e-4
    values, vectors = torch.linalg.eigh(covariance)
    assert values[1].sqrt().item() == pytest.approx((24 + 1) / math.sqrt(12), rel=0.05)
    assert values[0] < 0.5
    down, right = vectors[:, 1].tolist()
    assert math.degrees(math.atan(right / down)) == pytest.approx(angle, abs=1)


def test_a_smooth_field_fills_its_range_and_varies_slowly(seeded: Callable) -> None:
    field = smooth_field((2, 1, 60, 80), seeded(0), 4)
    assert field.shape == (2, 1, 60, 80)
    assert field.min() >= 0
    assert field.max() <= 1
    assert field.std() > 0.1
    assert field.diff(dim=-1).abs().max() < 0.15
    assert not torch.equal(field[0], field[1])


@pytest.mark.parametrize("size", [(16, 17), (50, 90), (2, 3)])
@pytest.mark.parametrize("count", [2, 7, 25])
def test_it_enlarges_as_bicubic_interpolation_does(count: int, size: tuple[int, int], grain: Callable) -> None:
    coarse = grain(2, count, count + 1)
    expected = F.interpolate(coarse[None], size, mode="bicubic", align_corners=True)[0]
    torch.testing.assert_close(enlarge(coarse, *size), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("reflect", [True, False])
@pytest.mark.parametrize("sigma", [0.1, 0.8, 2.3, 4.0])
@pytest.mark.parametrize("size", [(30, 41), (3, 50)])
def test_softening_is_convolution_with_a_gaussian(
    reflect: bool, sigma: float, size: tuple[int, int], grain: Callable
) -> None:
    image = grain(2, 3, *size)
    expected = convolve(image, gaussian_kernel(sigma), reflect=reflect)
    torch.testing.assert_close(soften(image, sigma, reflect=reflect), expected, atol=1e-6, rtol=0)
