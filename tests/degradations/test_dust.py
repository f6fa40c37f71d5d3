import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.degradations.dust import Dust
from undegrade.degradations.light import to_linear


def seen_through(seed: int) -> tuple[Tensor, Tensor]:
    """Transmission (3, H, W) and linear air light (3, 1, 1), found from what becomes of two flat pictures."""
    low, high = torch.full((3, 30, 40), 0.2), torch.full((3, 30, 40), 0.8)
    seen = []
    for flat in (low, high):
        rng = torch.Generator().manual_seed(seed)
        seen.append(to_linear(Dust().apply(flat, rng, density=1.2, relief=0.7).double()))
    transmission = (seen[1] - seen[0]) / (to_linear(high) - to_linear(low))
    air = (seen[0] - to_linear(low) * transmission) / (1 - transmission)
    return transmission, air.mean((1, 2), keepdim=True)


@pytest.mark.parametrize("seed", range(4))
def test_extinction_follows_one_angstrom_exponent_everywhere(seed: int) -> None:
    optical_depth = -torch.log(seen_through(seed)[0])
    exponents = [
        torch.log(optical_depth[channel] / optical_depth[1]) / math.log(550 / wavelength)
        for channel, wavelength in ((0, 610), (2, 465))
    ]
    for exponent in exponents:
        torch.testing.assert_close(exponent, exponents[0].mean().expand(30, 40), atol=2e-3, rtol=0)
    assert 0.29 < exponents[0].mean() < 1.01
    assert (optical_depth[2] > optical_depth[1]).all()  # blue is lost most


@pytest.mark.parametrize("seed", range(4))
def test_the_air_light_is_yellow_to_red_and_the_same_everywhere(seed: int, grain: Callable, seeded: Callable) -> None:
    transmission, air = seen_through(seed)
    red, green, blue = air.flatten().tolist()
    assert red > green > 1.5 * blue
    clean = grain(3, 30, 40, seed=seed)
    dusty = to_linear(Dust().apply(clean, seeded(seed), density=1.2, relief=0.7).double())
    found = (dusty - air * (1 - transmission)) / transmission
    torch.testing.assert_close(found, to_linear(clean.double()), atol=1e-4, rtol=0)


def test_optical_depth_is_that_of_the_distance_and_a_slight_unevenness() -> None:
    for seed in range(3):
        green = -torch.log(seen_through(seed)[0][1])
        assert green.min() >= 1.2 * (1 - 0.8 * 0.7) * 0.8 * 0.999
        assert green.max() <= 1.2 * 1.2 * 1.001
        assert green.max() > 1.2 * green.min()
