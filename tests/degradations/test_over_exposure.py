from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.light import to_display, to_linear
from undegrade.degradations.over_exposure import OverExposure


@pytest.mark.parametrize("stops", [0.0, 1.0, 2.5])
def test_what_stayed_below_white_is_recovered_and_the_rest_is_white(
    stops: float, grain: Callable, seeded: Callable
) -> None:
    clean = grain(2, 3, 40, 41)
    bright = OverExposure().apply(clean, seeded(0), stops=stops)
    below = to_linear(clean) * 2**stops < 0.9999
    again = to_display(to_linear(bright) / 2**stops)
    torch.testing.assert_close(again[below], clean[below], atol=1e-5, rtol=0)
    assert (bright[to_linear(clean) * 2**stops > 1.0001] > 1 - 1e-6).all()
    assert below.any()


def test_each_channel_is_cut_off_by_itself(seeded: Callable) -> None:
    skin = torch.tensor((0.9, 0.6, 0.4))[:, None, None].expand(3, 16, 16)
    red, green, blue = to_linear(OverExposure().apply(skin, seeded(0), stops=1.0))[:, 0, 0].tolist()
    before = to_linear(skin)[:, 0, 0].tolist()
    assert red == pytest.approx(1)
    assert [green / before[1], blue / before[2]] == pytest.approx([2, 2], rel=1e-5)
