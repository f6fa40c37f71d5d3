from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from undegrade.degradations.jpeg import Jpeg


def through_pillow(clean: Tensor, quality: int, subsampling: int) -> Tensor:
    """(3, H, W) -> (3, H, W), written and read; Pillow's subsampling 2 halves the colour both ways, 0 keeps it."""
    samples = (clean * 255).round().byte().permute(1, 2, 0).numpy()
    buffer = BytesIO()
    Image.fromarray(samples).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(buffer) as image:
        return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255


@pytest.fixture
def picture(grain: Callable) -> Tensor:
    """(2, 3, 48, 50): smooth colours with a little grain; the sides are no multiples of 16."""
    smooth = F.interpolate(grain(2, 3, 6, 6), (48, 50), mode="bilinear")
    return (smooth + 0.1 * grain(2, 3, 48, 50, low=-0.5, high=0.5, seed=1)).clamp(0, 1)


@pytest.mark.parametrize("quality", [10, 35, 60, 90])
@pytest.mark.parametrize(("chroma", "subsampling"), [(2.0, 2), (1.0, 1), (0.0, 0)])
def test_pixels_equal_libjpegs(
    picture: Tensor, quality: int, chroma: float, subsampling: int, seeded: Callable
) -> None:
    spoiled = Jpeg().apply(picture, seeded(0), quality=float(quality), chroma=chroma)
    for ours, clean in zip(spoiled, picture, strict=True):
        # One step is left for a libjpeg that rounds otherwise.
        assert (ours - through_pillow(clean, quality, subsampling)).abs().max() <= 1.5 / 255
        assert (ours - through_pillow(clean, quality - 2, subsampling)).abs().max() > 3 / 255


def test_nothing_is_drawn(picture: Tensor, seeded: Callable) -> None:
    rng = seeded(5)
    Jpeg().apply(picture, rng, quality=50.0, chroma=2.0)
    assert torch.equal(rng.get_state(), seeded(5).get_state())


def test_the_result_is_on_8_bit_levels(picture: Tensor, seeded: Callable) -> None:
    levels = Jpeg().apply(picture, seeded(0), quality=20.0, chroma=2.0) * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)


def test_only_whole_qualities_are_drawn(seeded: Callable) -> None:
    rng = seeded(0)
    drawn = {Jpeg(quality=(10, 13)).sample(rng)["quality"] for _ in range(60)}
    assert drawn == {10.0, 11.0, 12.0, 13.0}
