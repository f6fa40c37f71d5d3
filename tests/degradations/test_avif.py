from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from undegrade.degradations.avif import Avif


@pytest.mark.parametrize("colour", [(0.2, 0.5, 0.8), (0.9, 0.1, 0.4), (0.5, 0.5, 0.5)])
def test_one_colour_comes_back_within_two_levels(colour: tuple[float, float, float], seeded: Callable) -> None:
    flat = torch.tensor(colour)[:, None, None].expand(3, 32, 40)
    assert (Avif().apply(flat, seeded(0), quality=60.0) - flat).abs().max() < 2.6 / 255


def test_chroma_is_halved_and_luma_is_not(seeded: Callable) -> None:
    stripes = (torch.arange(64) % 2).float() - 0.5
    gray = (0.5 + 0.4 * stripes).expand(3, 64, 64)
    colour = torch.stack([0.5 + 0.4 * stripes, 0.5 - 0.2 * stripes, 0.5 + 0.0 * stripes])[:, None].expand(3, 64, 64)
    swings = []
    for clean in (gray, colour):
        spoiled = Avif().apply(clean, seeded(0), quality=95.0)
        swings.append(((spoiled[0, :, ::2] - spoiled[0, :, 1::2]).abs().mean() / 0.4).item())
    assert swings[0] > 0.9
    assert swings[1] < 0.35


def test_the_picture_stays_where_it_was(grain: Callable, seeded: Callable) -> None:
    clean = F.interpolate(grain(1, 3, 9, 9, low=0.3, high=0.7), (45, 51), mode="bicubic").clamp(0, 1)[0]
    spoiled = Avif().apply(clean, seeded(0), quality=70.0)
    apart = {
        (down, right): (spoiled.roll((down, right), (1, 2)) - clean)[:, 2:-2, 2:-2].square().mean().item()
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    }
    assert min(apart, key=lambda shift: apart[shift]) == (0, 0)
    assert apart[0, 0] < 0.03**2


def test_the_result_is_on_8_bit_levels(grain: Callable, seeded: Callable) -> None:
    levels = Avif().apply(grain(3, 32, 33), seeded(0), quality=20.0) * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
