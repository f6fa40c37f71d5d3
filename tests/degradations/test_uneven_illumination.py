import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.light import to_display, to_linear
from undegrade.degradations.uneven_illumination import UnevenIllumination, falloff


@pytest.mark.parametrize("stops", [0.0, 1.0, 3.0])
def test_the_brightest_point_is_kept_and_the_darkest_loses_the_stated_stops(
    stops: float, grain: Callable, seeded: Callable
) -> None:
    clean = grain(2, 3, 40, 60, low=0.3)
    for seed in range(4):
        spoiled = UnevenIllumination().apply(clean, seeded(seed), stops=stops)
        lost = torch.log2(to_linear(clean) / to_linear(spoiled))
        assert [lost.min().item(), lost.max().item()] == pytest.approx([0, stops], abs=2e-3)
        # One lamp for all colours and all pictures of the batch.
        torch.testing.assert_close(lost, lost[:1, :1].expand_as(lost), atol=2e-3, rtol=0)


def test_dividing_by_the_field_recovers_the_picture(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 40, 60)
    spoiled = UnevenIllumination().apply(clean, seeded(1), stops=2.0)
    field = falloff(40, 60, seeded(1))
    torch.testing.assert_close(to_display(to_linear(spoiled) * 2 ** (2 * field)), clean, atol=1e-5, rtol=0)


def test_the_lamp_stands_at_every_side_and_light_falls_smoothly(seeded: Callable) -> None:
    angles = []
    for seed in range(60):
        field = falloff(48, 64, seeded(seed))
        assert field.diff(dim=0).abs().max() < 0.1
        assert field.diff(dim=1).abs().max() < 0.1
        place = int(field.argmin())
        angles.append(math.atan2(place // 64 - 23.5, place % 64 - 31.5))
        near_the_border = min(place // 64, 47 - place // 64, place % 64, 63 - place % 64)
        assert near_the_border <= 8
    quarters = {int((angle + math.pi) // (math.pi / 2 + 1e-6)) for angle in angles}
    assert quarters == {0, 1, 2, 3}
