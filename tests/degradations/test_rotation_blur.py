from collections.abc import Callable

import torch

from undegrade.degradations.light import to_linear
from undegrade.degradations.rotation_blur import RotationBlur


def test_somewhere_nothing_moves_and_most_moves(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 96, 96)
    for seed in range(4):
        change = (RotationBlur().apply(clean, seeded(seed), length=16.0) - clean).abs().mean(0)
        local = torch.nn.functional.avg_pool2d(change[None], 4)
        assert local.min() < 0.4 * local.median()


def test_light_is_averaged_not_display_values(seeded: Callable) -> None:
    stripes = (torch.arange(96) // 2 % 2).float().expand(3, 96, 96)
    blurred = RotationBlur().apply(stripes, seeded(0), length=40.0)
    assert abs(to_linear(blurred).mean().item() - 0.5) < 0.02
