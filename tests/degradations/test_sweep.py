import math

import pytest
import torch
from torch import Tensor

from undegrade.degradations.sweep import AROUND, OUTWARDS, sweep

CENTRE = (40.0, 44.0)  # y, x, of pictures 81 x 89


def polar() -> tuple[Tensor, Tensor]:
    y, x = torch.meshgrid(torch.arange(81.0) - CENTRE[0], torch.arange(89.0) - CENTRE[1], indexing="ij")
    return torch.hypot(y, x), torch.atan2(y, x)


@pytest.mark.parametrize(("way", "own"), [(OUTWARDS, "spokes"), (AROUND, "rings")])
def test_what_the_motion_maps_onto_itself_stays_and_the_other_smears(way: complex, own: str) -> None:
    radius, angle = polar()
    pictures = {"spokes": 0.5 + 0.4 * torch.cos(16 * angle), "rings": 0.5 + 0.4 * torch.cos(2 * math.pi * radius / 12)}
    there = (radius > 22) & (radius < 36)
    for name, picture in pictures.items():
        swept = sweep(picture.expand(3, 81, 89), way=way, centre=CENTRE, length=24.0)
        change = (swept[1] - picture)[there].abs().max()
        assert change < 0.05 if name == own else change > 0.3


@pytest.mark.parametrize(("way", "axis"), [(OUTWARDS, 1), (AROUND, 0)])
@pytest.mark.parametrize("length", [5.0, 16.0])
def test_a_dot_becomes_one_even_streak_as_long_as_its_distance_asks(way: complex, axis: int, length: float) -> None:
    picture = torch.zeros(81, 89)
    picture[40, 74] = 1  # 30 pixels to the right of the centre
    swept = sweep(picture, way=way, centre=CENTRE, length=length)
    streak = swept.sum(1 - axis)
    place = torch.arange(streak.numel()).float()
    mean = (place * streak).sum() / streak.sum()
    variance = ((place - mean) ** 2 * streak).sum() / streak.sum()
    expected = length * 30 / math.hypot(*CENTRE)
    assert math.sqrt(12 * variance.item()) == pytest.approx(expected, rel=0.1, abs=0.7)  # of an even streak
    # What is zoomed is also larger, and counts more, outwards: r * mean(e^3t) / mean(e^2t), t^2 = span^2 / 12.
    drift = 30 * 2.5 * (length / math.hypot(*CENTRE)) ** 2 / 12 if way == OUTWARDS else 0
    assert mean.item() == pytest.approx((40, 74)[axis] + drift, abs=0.1)
    half = int(expected / 2 - 1)
    inner = streak[(40, 74)[axis] - half : (40, 74)[axis] + half + 1]
    assert inner.min() > 0.5 * inner.max()  # no gaps, so no separate copies


def test_the_centre_and_flat_pictures_stay() -> None:
    picture = torch.rand((2, 3, 81, 89), generator=torch.Generator().manual_seed(0))
    for way in (OUTWARDS, AROUND):
        swept = sweep(picture, way=way, centre=CENTRE, length=12.0)
        torch.testing.assert_close(swept[..., 40, 44], picture[..., 40, 44], atol=1e-4, rtol=0)
        flat = torch.full((3, 81, 89), 0.4)
        torch.testing.assert_close(sweep(flat, way=way, centre=CENTRE, length=60.0), flat)
