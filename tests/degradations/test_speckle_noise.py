import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.speckle_noise import SpeckleNoise


@pytest.mark.parametrize("sigma", [0.05, 0.2])
@pytest.mark.parametrize("value", [0.1, 0.5])
def test_the_standard_deviation_is_in_proportion_to_the_value(value: float, sigma: float, seeded: Callable) -> None:
    flat = torch.full((3, 128, 128), value)
    noise = (SpeckleNoise().apply(flat, seeded(0), sigma=sigma) - flat).double()
    count = flat.numel()
    assert noise.std().item() == pytest.approx(sigma * value, rel=3 / math.sqrt(2 * count))
    assert abs(noise.mean().item()) < 3 * sigma * value / math.sqrt(count)


def test_black_stays_black(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 20, 20, low=0.2)
    clean[..., :7] = 0
    noisy = SpeckleNoise().apply(clean, seeded(1), sigma=1.0)
    assert (noisy[..., :7] == 0).all()
    assert (noisy[..., 7:] != clean[..., 7:]).all()


def test_the_same_seed_multiplies_every_picture_alike(grain: Callable, seeded: Callable) -> None:
    factors = []
    for seed in range(2):
        clean = grain(3, 20, 20, low=0.2, high=0.5, seed=seed)
        factors.append(SpeckleNoise().apply(clean, seeded(2), sigma=0.1) / clean)
    torch.testing.assert_close(factors[0], factors[1])
    assert factors[0].std() > 0.09
