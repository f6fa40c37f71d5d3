from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.degradations.dead_pixels import DeadPixels, bayer_mask, spoil_samples
from undegrade.degradations.light import to_display, to_linear


def demosaic(samples: Tensor, mask: Tensor) -> Tensor:
    """Each missing colour is the mean of its samples among the eight neighbours, four of them for green."""
    near = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    cross = torch.tensor([[0.0, 1, 0], [1, 4, 1], [0, 1, 0]])
    weights = torch.stack((near, cross, near))[:, None]
    known = F.conv2d((samples * mask)[None], weights, padding=1, groups=3)
    return (known / F.conv2d(mask[None], weights, padding=1, groups=3))[0]


def test_it_is_the_demosaiced_picture_of_a_sensor_with_those_defects(grain: Callable, seeded: Callable) -> None:
    for seed in range(4):
        rng = seeded(seed)
        mask = bayer_mask(31, 40, rng)
        clean = to_display(demosaic((to_linear(grain(3, 31, 40)) * mask).sum(0), mask))
        samples = (to_linear(clean) * mask).sum(0)
        expected = to_display(demosaic(spoil_samples(samples[None], rng, 9000.0, 1)[0], mask))
        out = DeadPixels().apply(clean, seeded(seed), density=9000.0, lines=1.0)
        torch.testing.assert_close(out, expected, atol=2e-4, rtol=0)


def test_a_defect_is_a_green_cross_or_a_red_or_blue_square_and_all_else_is_untouched(seeded: Callable) -> None:
    flat = torch.full((3, 40, 40), 0.5)
    seen = set()
    for seed in range(30):
        out = DeadPixels().apply(flat, seeded(seed), density=1.0, lines=0.0)
        changed = [int((layer != 0.5).sum()) for layer in out]
        inner = (out[:, [0, -1]] == 0.5).all() and (out[:, :, [0, -1]] == 0.5).all()
        if inner:
            assert sorted(changed) in ([0, 0, 5], [0, 0, 9])
            assert changed[1] in (0, 5)
            seen.add(changed.index(max(changed)))
    assert seen == {0, 1, 2}


def test_as_many_sites_fail_as_asked_and_no_light_is_below_0_or_above_1(grain: Callable, seeded: Callable) -> None:
    samples = grain(1, 100, 100, low=0.1, high=0.9)
    spoiled = spoil_samples(samples, seeded(0), 5000.0, 0)
    assert (spoiled != samples).sum() == 50
    assert ((spoiled >= 0) & (spoiled <= 1)).all()
    assert (spoiled > samples).sum() >= 15  # hot ones
    lines = (spoil_samples(samples, seeded(0), 0.0, 2) == 0).float()
    assert lines.sum().item() in (199, 200)


def test_a_dead_column_leaves_only_what_its_neighbours_tell(seeded: Callable) -> None:
    flat = torch.full((3, 24, 24), 0.8)
    for seed in range(20):
        out = DeadPixels().apply(flat, seeded(seed), density=0.0, lines=1.0)
        rows = (out != flat).any(0).any(1).sum().item()
        columns = (out != flat).any(0).any(0).sum().item()
        assert sorted((rows, columns)) in ([2, 24], [3, 24])
        assert out.max().item() == pytest.approx(0.8, abs=1e-6)
