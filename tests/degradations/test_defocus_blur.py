import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.defocus_blur import DefocusBlur, aperture
from undegrade.degradations.light import to_linear

PIXEL = 1 / 6  # what the width of a pixel adds to the mean squared distance


@pytest.mark.parametrize("radius", [0.5, 1.0, 2.3, 5.0, 12.0])
@pytest.mark.parametrize("blades", [0, 5, 6, 9])
def test_an_aperture_is_a_centred_distribution(radius: float, blades: int, moments: Callable) -> None:
    kernel = aperture(radius, blades=blades, turn=0.7)
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.min() >= 0
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
    assert moments(kernel)[0].abs().max() < 0.1


@pytest.mark.parametrize("radius", [2.0, 3.7, 5.0, 12.0])
def test_the_second_moment_is_that_of_a_disc(radius: float, moments: Callable) -> None:
    _, covariance = moments(aperture(radius, blades=0, turn=0))
    assert covariance.trace().item() == pytest.approx(radius**2 / 2 + PIXEL, rel=0.03)
    assert covariance[0, 0].item() == pytest.approx(covariance[1, 1].item(), rel=1e-4)
    assert abs(covariance[0, 1].item()) < 1e-2


@pytest.mark.parametrize("blades", [5, 6, 7, 8, 9])
@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_the_second_moment_is_that_of_a_polygon(blades: int, turn: float, moments: Callable) -> None:
    _, covariance = moments(aperture(12.0, blades=blades, turn=turn))
    # Of a regular polygon with corners at distance r: r * r / 6 * (2 + cos(2 pi / blades)).
    expected = 12.0**2 / 6 * (2 + math.cos(2 * math.pi / blades)) + PIXEL
    assert covariance.trace().item() == pytest.approx(expected, rel=0.02)


def test_a_disc_is_flat_inside_and_empty_outside() -> None:
    kernel = aperture(8.0, blades=0, turn=0)
    y, x = torch.meshgrid(*(torch.arange(17.0) - 8,) * 2, indexing="ij")
    distance = torch.hypot(y, x)
    assert kernel[distance > 8.75].max() == 0
    inside = kernel[distance < 7.25]
    torch.testing.assert_close(inside, inside.max().expand_as(inside))
    assert inside.max().item() == pytest.approx(1 / (math.pi * 64), rel=0.02)


def test_the_corners_turn() -> None:
    assert not torch.equal(aperture(9.0, blades=6, turn=0.0), aperture(9.0, blades=6, turn=0.4))
    again = aperture(9.0, blades=6, turn=0.3 + 2 * math.pi / 6)
    assert (again - aperture(9.0, blades=6, turn=0.3)).abs().sum() < 0.01


def test_a_point_of_light_spreads_in_linear_light(seeded: Callable, moments: Callable) -> None:
    dark = torch.zeros(3, 31, 31)
    dark[:, 15, 15] = 1
    shapes = set()
    for seed in range(12):
        spot = to_linear(DefocusBlur().apply(dark, seeded(seed), radius=6.0))[0]
        assert spot.sum().item() == pytest.approx(1, abs=0.02)
        spread = moments(spot / spot.sum())[1].trace().item()
        shapes.add(round(spread, 1))
        assert 12.0**2 / 24 * (2 + math.cos(2 * math.pi / 5)) <= spread <= 6.0**2 / 2 + PIXEL + 0.5
    assert len(shapes) >= 3  # discs, and polygons of several numbers of blades


def test_a_tiny_radius_is_no_blur(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 20, 24)
    torch.testing.assert_close(DefocusBlur().apply(clean, seeded(0), radius=0.0), clean, atol=1e-3, rtol=0)
