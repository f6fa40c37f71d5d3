import math
from collections.abc import Callable

import torch

from undegrade.degradations.light import to_display, to_linear
from undegrade.degradations.veil import veil

AIR = torch.tensor([0.9, 0.8, 0.5])[:, None, None]


def test_half_the_light_is_lost_and_half_the_air_light_gained_where_the_optical_depth_is_log_2(grain: Callable) -> None:
    clean = grain(2, 3, 9, 8)
    expected = to_display((to_linear(clean) + to_linear(AIR)) / 2)
    torch.testing.assert_close(veil(clean, torch.tensor(math.log(2)), AIR), expected, atol=2e-6, rtol=0)


def test_clear_air_shows_the_picture_and_thick_air_only_itself(grain: Callable) -> None:
    clean = grain(3, 9, 8)
    torch.testing.assert_close(veil(clean, torch.tensor(0.0), AIR), clean, atol=1e-5, rtol=0)
    torch.testing.assert_close(veil(clean, torch.tensor(30.0), AIR), AIR.expand(3, 9, 8), atol=1e-5, rtol=0)


def test_two_layers_of_the_same_air_add_their_optical_depths(grain: Callable) -> None:
    clean, near, far = grain(3, 9, 8), torch.tensor(0.3), torch.tensor(0.9)
    torch.testing.assert_close(veil(veil(clean, far, AIR), near, AIR), veil(clean, near + far, AIR), atol=1e-5, rtol=0)
