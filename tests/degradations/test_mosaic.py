from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.mosaic import Mosaic


def test_each_pixel_keeps_one_colour_in_a_bayer_pattern(grain: Callable, seeded: Callable) -> None:
    clean, patterns = grain(3, 12, 16), set()
    for seed in range(20):
        kept = Mosaic().apply(clean, seeded(seed)) == clean
        assert (kept.sum(0) == 1).all()
        assert [layer.sum().item() for layer in kept] == [48, 96, 48]  # of 192 pixels
        assert torch.equal(kept[:, 2:], kept[:, :-2])
        assert torch.equal(kept[:, :, 2:], kept[:, :, :-2])
        red = kept[0].nonzero()[0]
        blue = (red + 1) % 2
        assert kept[2, blue[0], blue[1]]  # red and blue lie on a diagonal
        patterns.add(tuple(red.tolist()))
    assert patterns == {(0, 0), (0, 1), (1, 0), (1, 1)}


@pytest.mark.parametrize("colour", [(0.2, 0.5, 0.9), (1.0, 0.0, 1.0)])
def test_constant_colour_passes(colour: tuple[float, float, float], seeded: Callable) -> None:
    flat = torch.tensor(colour)[:, None, None].expand(3, 17, 20)
    for seed in range(4):
        torch.testing.assert_close(Mosaic().apply(flat, seeded(seed)), flat, atol=1e-6, rtol=0)


def test_slopes_pass_away_from_the_border(seeded: Callable) -> None:
    """Bilinear filling is exact on planes."""
    down, across = torch.meshgrid(torch.linspace(0, 1, 20), torch.linspace(0, 1, 24), indexing="ij")
    plane = torch.stack((down, 0.5 * down + 0.5 * across, 1 - across))
    filled = Mosaic().apply(plane, seeded(1))
    torch.testing.assert_close(filled[:, 1:-1, 1:-1], plane[:, 1:-1, 1:-1], atol=1e-6, rtol=0)
    assert (filled - plane).abs().max() > 1e-3  # at the border it is not


def test_missing_colours_are_means_of_the_nearest_samples(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 10, 10)
    filled = Mosaic().apply(clean, seeded(0))
    y, x = next((y, x) for y, x in (filled[0] == clean[0]).nonzero().tolist() if 0 < y < 9 and 0 < x < 9)
    around = clean[:, y - 1 : y + 2, x - 1 : x + 2]
    green = (around[1, 0, 1] + around[1, 1, 0] + around[1, 1, 2] + around[1, 2, 1]) / 4
    blue = (around[2, 0, 0] + around[2, 0, 2] + around[2, 2, 0] + around[2, 2, 2]) / 4
    torch.testing.assert_close(filled[1:, y, x], torch.stack((green, blue)))


def test_it_has_no_severity_and_one_pattern_for_a_batch(grain: Callable, seeded: Callable) -> None:
    assert Mosaic.units() == {}
    assert Mosaic().sample(seeded(0)) == {}
    clean = grain(2, 3, 8, 8)
    kept = Mosaic().apply(clean, seeded(0)) == clean
    assert torch.equal(kept[0], kept[1])


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (8, 1)])
def test_a_picture_one_pixel_wide_loses_no_colour(size: tuple[int, int], seeded: Callable) -> None:
    clean = torch.tensor([0.2, 0.5, 0.9])[:, None, None].expand(3, *size).contiguous()
    for seed in range(4):
        torch.testing.assert_close(Mosaic().apply(clean, seeded(seed)), clean)
