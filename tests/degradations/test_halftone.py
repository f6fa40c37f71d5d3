import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.halftone import ANGLES, Halftone, print_dots, screen, separate
from undegrade.degradations.light import to_display, to_linear


@pytest.mark.parametrize("pitch", [3.0, 4.5, 8.0])
def test_seen_from_afar_the_colours_are_those_of_the_clean_picture(pitch: float, seeded: Callable) -> None:
    for colour in ((0.5, 0.5, 0.5), (0.8, 0.3, 0.1), (0.2, 0.6, 0.95)):
        light = torch.tensor(colour)[:, None, None].expand(3, 192, 192)
        printed = Halftone().apply(to_display(light), seeded(0), pitch=pitch)
        torch.testing.assert_close(to_linear(printed).mean((1, 2)), torch.tensor(colour), atol=0.02, rtol=0)


def test_paper_stays_white_and_full_ink_black(seeded: Callable) -> None:
    ends = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 48, 48)
    torch.testing.assert_close(Halftone().apply(ends, seeded(0), pitch=5.0), ends, atol=2e-3, rtol=0)


def test_the_inks_multiply_to_the_colour(grain: Callable) -> None:
    light = grain(3, 20, 20)
    ink = separate(light)
    assert ((ink >= -1e-6) & (ink <= 1)).all()
    torch.testing.assert_close((1 - ink[:3]) * (1 - ink[3:]), light)


@pytest.mark.parametrize("coverage", [0.02, 0.1, 0.5, 0.85, 0.98])
def test_the_dots_cover_the_share_asked_for(coverage: float) -> None:
    thresholds = (torch.arange(20000) + 0.5) / 20000
    for pitch in (2.5, 6.0, 20.0):
        ink = print_dots(torch.full((20000,), coverage), thresholds, pitch)
        assert ink.mean().item() == pytest.approx(coverage, abs=1e-4)


@pytest.mark.parametrize("angle", ANGLES)
def test_thresholds_are_equally_frequent_and_repeat_at_the_pitch_and_angle(angle: float, seeded: Callable) -> None:
    turn = math.radians(angle)
    cells = screen(240, 240, 10.0, turn, seeded(0))
    shares = torch.histc(cells, bins=10, min=0, max=1) / cells.numel()
    torch.testing.assert_close(shares, torch.full((10,), 0.1), atol=0.05, rtol=0)
    spectrum = torch.fft.fft2(cells - cells.mean()).abs()
    row, column = divmod(int(spectrum[:, :120].argmax()), 120)
    row = row - 240 if row > 120 else row
    assert math.hypot(row, column) == pytest.approx(24, abs=1)
    apart = math.degrees(math.atan2(row, column)) - angle
    assert min(apart % 90, -apart % 90) < 3
