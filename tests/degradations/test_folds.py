from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.folds import Folds, _offset, crease, displace


def line(width: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Distance from the middle column of 60 x 121 pixels, that width everywhere, and no roughness."""
    return (torch.arange(121.0) - 60).expand(60, 121), torch.full((60, 121), width), torch.zeros(60, 121)


@pytest.mark.parametrize("width", [1.5, 3.0, 8.0])
def test_what_broke_off_is_as_wide_as_asked(width: float, seeded: Callable) -> None:
    _, mask = crease(*line(width), seeded(0))
    assert mask.sum(1).mean().item() == pytest.approx(width, abs=0.3)
    assert mask[:, 60].min() == 1


def test_one_side_is_lighter_by_what_the_other_is_darker_and_far_away_nothing_changes(seeded: Callable) -> None:
    shade, mask = crease(*line(2.0), seeded(1))
    torch.testing.assert_close(shade - 1, 1 - shade.flip(1))
    assert shade.max().item() > 1.04
    assert (shade[:, 61:] > 1).all()
    assert shade[:, 120].max().item() == pytest.approx(1, abs=0.02)
    assert (mask[:, :50] == 0).all()


def test_chips_come_off_only_beside_the_line(seeded: Callable) -> None:
    distance, width, rough = line(3.0)
    rough = torch.randn(rough.shape, generator=seeded(0))
    _, frayed = crease(distance, width, rough, seeded(0))
    _, smooth = crease(distance, width, torch.zeros_like(rough), seeded(0))
    assert frayed.sum() > smooth.sum()
    assert (frayed[:, (distance[0].abs() > 15)] == 0).all()


def test_no_creases_change_nothing(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 32, 32)
    out = Folds().apply(clean, seeded(0), count=0.0, width=3.0)
    assert torch.equal(out, clean)
    assert out.data_ptr() != clean.data_ptr()


def test_the_halves_are_displaced_to_opposite_sides_next_to_the_crease_only(seeded: Callable) -> None:
    distance = line(4.0)[0]
    for seed in range(5):
        moved = _offset(distance, (0.0, 1.0), 4.0, seeded(seed))
        torch.testing.assert_close(moved.flip(2), -moved)
        assert 0.1 < moved.abs().amax() < 2  # half the width, at most
        assert moved[..., :5].abs().max() < 0.3
    ramp = torch.arange(121.0).expand(3, 60, 121) / 120
    there = displace(ramp, torch.stack((torch.zeros(60, 121), torch.full((60, 121), 1.5))))
    torch.testing.assert_close(there[..., 5:110], ramp[..., 5:110] + 1.5 / 120)
    assert torch.equal(displace(ramp, torch.zeros(2, 60, 121)), ramp)


def test_the_emulsion_is_cracked_beside_the_crease(seeded: Callable) -> None:
    distance, width, _ = line(4.0)
    rough = torch.linspace(-1.5, 0.5, 60)[:, None].expand(60, 121)
    _, mask = crease(distance, width, rough, seeded(0))
    beside = (distance.abs() > 4) & (distance.abs() < 7)
    assert (mask * beside)[30:36].max() > 0.2  # where the roughness is about -0.4
    assert (mask * beside)[:25].max() == 0
    assert (mask[:, (distance[0].abs() > 9)] == 0).all()
