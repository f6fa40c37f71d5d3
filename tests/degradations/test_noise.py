import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.noise import GaussianNoise

GRAY = torch.full((3, 256, 256), 0.5)
COUNT = GRAY.numel()


@pytest.mark.parametrize("sigma", [1.0, 10.0, 25.0])
def test_deviation_and_mean_are_theory_within_three_standard_errors(sigma: float, seeded: Callable) -> None:
    noise = (GaussianNoise().apply(GRAY, seeded(0), sigma=sigma) - GRAY).double() * 255
    assert abs(noise.std().item() - sigma) < 3 * sigma / math.sqrt(2 * COUNT)
    assert abs(noise.mean().item()) < 3 * sigma / math.sqrt(COUNT)


def test_pixels_and_channels_are_independent(seeded: Callable) -> None:
    noise = (GaussianNoise().apply(GRAY, seeded(1), sigma=20.0) - GRAY).double()
    noise = noise / noise.std()
    for left, right in (
        (noise[..., 1:], noise[..., :-1]),
        (noise[:, 1:], noise[:, :-1]),
        (noise[1:], noise[:-1]),
    ):
        assert abs((left * right).mean().item()) < 4 / math.sqrt(left.numel())


def test_it_is_bell_shaped(seeded: Callable) -> None:
    noise = (GaussianNoise().apply(GRAY, seeded(2), sigma=20.0) - GRAY).double() * 255 / 20
    for bound, share in ((1, 0.6827), (2, 0.9545), (3, 0.9973)):
        inside = (noise.abs() < bound).double().mean().item()
        assert abs(inside - share) < 4 * math.sqrt(share * (1 - share) / COUNT)


def test_black_is_clipped_to_half_a_bell(seeded: Callable) -> None:
    spoiled = GaussianNoise().apply(torch.zeros_like(GRAY), seeded(3), sigma=30.0) * 255
    assert (spoiled == 0).double().mean().item() == pytest.approx(0.5, abs=0.005)
    assert spoiled.mean().item() == pytest.approx(30 / math.sqrt(2 * math.pi), rel=0.01)


def test_no_noise_is_no_change(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 16, 16)
    assert torch.equal(GaussianNoise().apply(clean, seeded(0), sigma=0.0), clean)
