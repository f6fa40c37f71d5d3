import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.dust_spots import DustSpots, stamp


@pytest.mark.parametrize("radius", [2.0, 5.3])
def test_a_disc_covers_its_area(radius: float) -> None:
    mask = torch.zeros(40, 50)
    stamp(mask, torch.tensor([[20.3, 25.8, radius, 1.0]]))
    # A soft edge, as wide inside as outside, adds a little to the area of a circle: less than half a pixel.
    assert mask.sum().item() == pytest.approx(math.pi * radius**2, abs=0.5)
    assert mask.max() == 1


def test_overlapping_discs_are_one_and_those_at_the_border_are_cut() -> None:
    once, twice = torch.zeros(20, 20), torch.zeros(20, 20)
    disc = torch.tensor([[0.0, 10.0, 4.0, 0.7]])
    stamp(once, disc)
    stamp(twice, torch.cat((disc, disc, torch.tensor([[-3.0, 10.0, 9.0, 1.0]]))))
    assert torch.equal(once, twice)
    assert once.max().item() == pytest.approx(0.7)
    assert once.sum().item() == pytest.approx(0.7 * math.pi * 16 / 2, rel=0.03)


def test_dust_draws_towards_its_colour_and_leaves_the_rest_untouched(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 96, 96, low=0.3, high=0.7)
    for seed in range(6):
        out = DustSpots().apply(clean, seeded(seed), density=10.0, size=2.0)
        changed = (out != clean).any(0)
        assert 0.002 < changed.float().mean() < 0.2
        moves = (out - clean)[:, changed]
        assert ((moves >= 0).all(0) | (moves <= 0).all(0) | (moves.abs() < 0.02).all(0)).float().mean() > 0.98


def test_twice_the_density_hides_twice_the_area(seeded: Callable) -> None:
    grey = torch.full((3, 256, 256), 0.5)
    hidden = [
        sum((DustSpots().apply(grey, seeded(s), density=d, size=1.5) - grey).abs().mean().item() for s in range(8))
        for d in (4.0, 8.0)
    ]
    assert hidden[1] / hidden[0] == pytest.approx(2, rel=0.2)
