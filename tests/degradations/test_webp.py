from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, features

from undegrade.degradations.webp import Webp
from undegrade.errors import UndegradeError
from undegrade.images import webp_roundtrip


@pytest.mark.skipif(not features.check("webp"), reason="this Pillow has no WebP")
@pytest.mark.parametrize("quality", [5, 40, 85])
def test_pixels_are_libwebps(quality: int, grain: Callable, seeded: Callable) -> None:
    clean = F.interpolate(grain(1, 3, 8, 8), (41, 50), mode="bilinear")[0]
    samples = (clean * 255).round().byte().permute(1, 2, 0).numpy()
    pillow = []
    for near in (quality, quality + 12):
        buffer = BytesIO()
        Image.fromarray(samples).save(buffer, "WEBP", quality=near, method=4)
        with Image.open(buffer) as image:
            pillow.append(torch.from_numpy(np.asarray(image.convert("RGB")) / np.float32(255)).permute(2, 0, 1))
    apart = [(Webp().apply(clean, seeded(0), quality=quality) - other).abs().mean().item() for other in pillow]
    assert apart[0] < 0.25 / 255  # another version of the library may differ in a few blocks
    assert apart[1] > 4 * apart[0]


def test_chroma_is_halved_and_luma_is_not(seeded: Callable) -> None:
    stripes = (torch.arange(64) % 2).float() - 0.5
    gray = (0.5 + 0.4 * stripes).expand(3, 64, 64)
    colour = torch.stack([0.5 + 0.4 * stripes, 0.5 - 0.2 * stripes, 0.5 + 0.0 * stripes])[:, None].expand(3, 64, 64)
    for clean, kept in ((gray, 0.9), (colour, 0.35)):
        spoiled = Webp().apply(clean, seeded(0), quality=95)
        swing = (spoiled[0, :, ::2] - spoiled[0, :, 1::2]).abs().mean() / 0.4
        assert (swing > 0.9) if kept == 0.9 else (swing < kept)


def test_the_result_is_on_8_bit_levels(grain: Callable, seeded: Callable) -> None:
    levels = Webp().apply(grain(3, 32, 33), seeded(0), quality=20.0) * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)


def test_what_cannot_be_encoded_is_refused(grain: Callable) -> None:
    with pytest.raises(UndegradeError, match="quality: 101; expected 0 to 100"):
        webp_roundtrip(grain(3, 16, 16).numpy(), 101)
    with pytest.raises(UndegradeError, match=r"pixels: shape \(16, 16\); expected"):
        webp_roundtrip(grain(16, 16).numpy(), 50)
