import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.ringing import Ringing, circular_sinc


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 4])
def test_waves_below_the_cut_off_stay_and_those_above_vanish(angle: float, seeded: Callable) -> None:
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    for share, gain in ((0.25, 1.0), (0.75, 0.0)):
        phase = math.pi * share * (x * math.cos(angle) + y * math.sin(angle))
        wave = (0.5 + 0.3 * torch.sin(phase)).expand(3, 96, 96)
        filtered = Ringing().apply(wave, seeded(0), cutoff=0.5)
        inner = slice(30, 66)  # away from the mirror at the border
        kept = (filtered - 0.5)[:, inner, inner].std() / (wave - 0.5)[:, inner, inner].std()
        assert kept.item() == pytest.approx(gain, abs=0.05)


def test_an_edge_overshoots_by_gibbs_nine_percent(seeded: Callable) -> None:
    edge = torch.full((3, 64, 128), 0.3)
    edge[..., 64:] = 0.7
    filtered = Ringing().apply(edge, seeded(0), cutoff=0.2)
    assert (filtered.max().item() - 0.7) / 0.4 == pytest.approx(0.0895, abs=0.015)
    assert (0.3 - filtered.min().item()) / 0.4 == pytest.approx(0.0895, abs=0.02)
    # The echoes go on: beyond the overshoot the value swings back below that of the flat side.
    assert filtered[0, 32, 68:90].min() < 0.695


def test_the_kernel_sums_to_one_and_is_round() -> None:
    kernel = circular_sinc(0.4 * math.pi)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(kernel, kernel.T)
    torch.testing.assert_close(kernel, kernel.flip(0))
    middle = kernel.shape[0] // 2
    # Before the sum is made one, the peak is the area of the disc of kept frequencies over (2 pi)^2.
    assert kernel[middle, middle].item() == pytest.approx((0.4 * math.pi) ** 2 / (4 * math.pi), rel=0.01)
