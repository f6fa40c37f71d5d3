from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.roughness import edge_distance, quantile, rough_field


@pytest.mark.parametrize("size", [3.0, 20.0])
def test_the_field_has_mean_0_and_deviation_1(size: float, seeded: Callable) -> None:
    fields = torch.stack([rough_field(96, 128, seeded(seed), size) for seed in range(8)])
    assert abs(fields.mean().item()) < 0.15
    assert fields.std().item() == pytest.approx(1, abs=0.12)


def test_coarse_hills_are_alike_over_more_pixels_than_fine_ones(seeded: Callable) -> None:
    def alike(size: float) -> float:
        field = rough_field(128, 128, seeded(0), size)
        return torch.corrcoef(torch.stack((field[:, 4:].flatten(), field[:, :-4].flatten())))[0, 1].item()

    assert alike(3.0) < 0.2 < 0.7 < alike(40.0)


def test_the_quantile_leaves_that_share_below(grain: Callable) -> None:
    field = grain(100, 77)
    assert (field < quantile(field, 0.3)).float().mean().item() == pytest.approx(0.3, abs=1e-3)
    assert quantile(grain(700, 700), 0.8, most=1000) == pytest.approx(0.8, abs=0.05)


def test_the_distance_to_a_straight_edge_is_right() -> None:
    slope = 0.03 * torch.arange(40.0).expand(30, 40)
    torch.testing.assert_close(edge_distance(slope, 0.6), torch.arange(40.0).expand(30, 40) - 20, atol=1e-4, rtol=0)
