from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.degradations.fog import Fog, mean_extinction
from undegrade.degradations.light import to_linear


def seen_through(seed: int, relief: float) -> tuple[Tensor, Tensor]:
    """Transmission (1, H, W) and linear air light (3, 1, 1), found from what becomes of two flat pictures."""
    low, high = torch.full((3, 40, 50), 0.2), torch.full((3, 40, 50), 0.7)
    seen = []
    for flat in (low, high):
        rng = torch.Generator().manual_seed(seed)
        seen.append(to_linear(Fog().apply(flat, rng, density=1.5, airlight=0.9, relief=relief).double()))
    transmission = (seen[1] - seen[0]) / (to_linear(high) - to_linear(low))
    assert (transmission - transmission[:1]).abs().max() < 1e-5  # the same for every colour
    air = (seen[0] - to_linear(low) * transmission) / (1 - transmission)
    return transmission[:1], air.mean((1, 2), keepdim=True)


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_inverted_by_its_own_transmission_and_air_light(seed: int, grain: Callable, seeded: Callable) -> None:
    transmission, air = seen_through(seed, 1.0)
    clean = grain(3, 40, 50, seed=seed)
    foggy = to_linear(Fog().apply(clean, seeded(seed), density=1.5, airlight=0.9, relief=1.0).double())
    found = (foggy - air * (1 - transmission)) / transmission
    torch.testing.assert_close(found, to_linear(clean.double()), atol=1e-4, rtol=0)


def test_the_air_light_is_nearly_white_and_as_bright_as_stated() -> None:
    for seed in range(3):
        _, air = seen_through(seed, 0.5)
        assert (air / to_linear(torch.tensor(0.9)) - 1).abs().max() < 0.03


def test_wisps_change_the_optical_depth_by_a_third_at_most_where_the_scene_has_no_relief() -> None:
    for seed in range(3):
        optical_depth = -torch.log(seen_through(seed, 0.01)[0])
        assert optical_depth.min() >= 1.5 * 0.65 * 0.95
        assert optical_depth.max() <= 1.5 * 1.35 * 1.001
        assert optical_depth.max() > 1.2 * optical_depth.min()  # and they are there


def test_the_fog_lies_below_the_sky() -> None:
    """Depth grows upwards on average, so without a layer the top row would be the thickest."""
    optical_depth = -torch.log(torch.stack([seen_through(seed, 1.0)[0] for seed in range(16)])).mean((0, 1, 3))
    assert optical_depth[0] < 0.8 * optical_depth.max()
    assert 8 <= optical_depth.argmax() <= 32


def test_the_mean_extinction_is_the_integral_of_an_exponential_atmosphere() -> None:
    for rise in (0.2, 1.0, 7.0):
        heights = torch.linspace(0, rise, 20001, dtype=torch.float64)
        expected = torch.trapezoid(torch.exp(-heights), heights) / rise
        assert mean_extinction(torch.tensor(rise)).item() == pytest.approx(expected.item(), rel=1e-5)
    assert mean_extinction(torch.tensor(0.0)).item() == pytest.approx(1, abs=1e-3)
