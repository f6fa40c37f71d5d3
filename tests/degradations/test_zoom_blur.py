from collections.abc import Callable

import torch
import torch.nn.functional as F

from undegrade.degradations.light import to_linear
from undegrade.degradations.zoom_blur import ZoomBlur


def test_far_from_the_middle_more_is_lost(grain: Callable, seeded: Callable) -> None:
    clean = F.interpolate(grain(1, 3, 24, 24), (96, 96), mode="bilinear")[0]
    changes = [(ZoomBlur().apply(clean, seeded(seed), length=12.0) - clean).abs() for seed in range(6)]
    change = torch.stack(changes).mean((0, 1))
    assert change[40:56, 40:56].mean() < 0.6 * change[:16, :16].mean()


def test_light_is_averaged_not_display_values(seeded: Callable) -> None:
    stripes = (torch.arange(96) // 2 % 2).float().expand(3, 96, 96)
    blurred = ZoomBlur().apply(stripes, seeded(0), length=40.0)
    assert abs(to_linear(blurred).mean().item() - 0.5) < 0.02
    assert blurred.mean() > 0.6  # half the light is 0.735 on the display
