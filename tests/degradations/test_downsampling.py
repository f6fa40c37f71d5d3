from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from undegrade.degradations.downsampling import Downsampling, Kernel, area, bicubic, bilinear, lanczos, resize

PILLOWS = {name: Image.Resampling[name.upper()] for name in ("bilinear", "bicubic", "lanczos")}


def through_pillow(plane: Tensor, height: int, width: int, name: str) -> Tensor:
    """(H, W) floats -> (height, width)."""
    return torch.from_numpy(np.array(Image.fromarray(plane.numpy()).resize((width, height), PILLOWS[name])))


@pytest.mark.parametrize("kernel", [bilinear, bicubic, lanczos])
@pytest.mark.parametrize("size", [(21, 17), (10, 30), (96, 100)])
def test_each_kernel_is_pillows(kernel: Kernel, size: tuple[int, int], grain: Callable) -> None:
    plane = grain(43, 67)
    expected = through_pillow(plane, *size, kernel.__name__)
    torch.testing.assert_close(resize(plane, *size, kernel), expected, atol=1e-5, rtol=0)


def test_area_is_the_mean_of_what_each_new_pixel_covers(grain: Callable) -> None:
    image = grain(3, 24, 36)
    torch.testing.assert_close(resize(image, 6, 9, area), F.avg_pool2d(image, 4))
    fine = image.repeat_interleave(5, -2).repeat_interleave(5, -1)  # 24 / 5 rows make one of 5: means over 24 of these
    torch.testing.assert_close(resize(image, 5, 36, area), F.avg_pool2d(fine, (24, 5)))


def test_factor_one_changes_nothing_and_flat_stays_flat(grain: Callable, seeded: Callable) -> None:
    clean, flat = grain(3, 20, 30), torch.full((3, 20, 30), 0.4)
    for seed in range(8):
        torch.testing.assert_close(Downsampling().apply(clean, seeded(seed), factor=1.0), clean)
        torch.testing.assert_close(Downsampling().apply(flat, seeded(seed), factor=3.7), flat)


def test_the_picture_stays_where_it_was(seeded: Callable) -> None:
    bump = torch.exp(-((torch.arange(64.0) - 20) ** 2) / 60).expand(3, 64, 64)
    for seed in range(8):
        spoiled = Downsampling().apply(bump, seeded(seed), factor=4.0)[0].sum(0)
        assert ((torch.arange(64.0) * spoiled).sum() / spoiled.sum()).item() == pytest.approx(20, abs=0.05)


def test_all_eight_ways_are_drawn(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 16, 16)
    seen = {tuple(Downsampling().apply(clean, seeded(seed), factor=2.0).flatten().tolist()) for seed in range(80)}
    assert len(seen) == 8
