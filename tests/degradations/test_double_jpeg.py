from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from undegrade.degradations.double_jpeg import DoubleJpeg, shifted_jpeg
from undegrade.images import jpeg_roundtrip


def through_pillow(samples: np.ndarray, quality: int, chroma: int) -> np.ndarray:
    """(H, W, 3) bytes, written and read."""
    buffer = BytesIO()
    Image.fromarray(samples).save(buffer, "JPEG", quality=quality, subsampling=chroma)
    with Image.open(buffer) as image:
        return np.asarray(image)


@pytest.fixture
def picture(grain: Callable) -> torch.Tensor:
    """(3, 41, 50): smooth colours with a little grain."""
    smooth = F.interpolate(grain(1, 3, 6, 6), (41, 50), mode="bilinear")[0]
    return (smooth + 0.1 * grain(3, 41, 50, low=-0.5, high=0.5, seed=1)).clamp(0, 1)


@pytest.mark.parametrize("chroma", [0, 1, 2])
def test_the_second_grid_begins_before_the_picture(picture: torch.Tensor, chroma: int) -> None:
    samples = (picture * 255).round().byte().permute(1, 2, 0).numpy()
    moved = np.pad(samples, ((3, 0), (6, 0), (0, 0)), mode="edge")
    expected = through_pillow(moved, 30, chroma)[3:, 6:] / 255
    ours = shifted_jpeg(picture.numpy(), 30, 3, 6, chroma=chroma).transpose(1, 2, 0)
    assert np.abs(ours - expected).max() <= 1.5 / 255
    assert np.abs(ours - through_pillow(samples, 30, chroma) / 255).max() > 3 / 255


def test_with_a_faultless_second_turn_the_first_is_left(picture: torch.Tensor, seeded: Callable) -> None:
    once = [torch.from_numpy(jpeg_roundtrip(picture.numpy(), 20, chroma=chroma)) for chroma in (0, 1, 2)]
    for seed in range(6):
        twice = DoubleJpeg().apply(picture, seeded(seed), first=20.0, second=100.0)
        # Halved chroma costs something even at 100, so the nearer of the two is asked.
        assert min((twice - single).abs().mean().item() for single in once) < 0.016
        assert (twice - picture).abs().mean() > 0.02


def test_two_turns_lose_more_than_the_worse_of_them(picture: torch.Tensor, seeded: Callable) -> None:
    def loss(first: float, second: float) -> float:
        turns = [DoubleJpeg().apply(picture, seeded(s), first=first, second=second) for s in range(6)]
        return torch.stack([(turn - picture).square().mean() for turn in turns]).mean().item()

    assert loss(15, 15) > max(loss(15, 100), loss(100, 15))
