from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.light import to_linear
from undegrade.degradations.light_leak import LightLeak, draw_glow


def test_it_adds_the_same_light_to_every_picture(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 80, 60, high=0.6)
    black = torch.zeros_like(clean)
    for seed in range(4):
        glow = to_linear(LightLeak().apply(black, seeded(seed), strength=0.4, reach=0.5))
        light = to_linear(LightLeak().apply(clean, seeded(seed), strength=0.4, reach=0.5))
        torch.testing.assert_close(light, (to_linear(clean) + glow).clamp_max(1), atol=1e-5, rtol=0)
        assert glow.max().item() > 0.15


def test_it_is_red_and_reddest_where_it_ends(seeded: Callable) -> None:
    for seed in range(6):
        red, green, blue = draw_glow(90, 90, 0.4, seeded(seed))
        assert (red >= green).all()
        assert (green >= blue).all()
        share = green / red.clamp_min(1e-9)
        assert share[red > 0.9 * red.max()].mean() > share[(red > 0.02) & (red < 0.1 * red.max())].mean()


def test_it_comes_from_one_side_and_each_side_in_turn(seeded: Callable) -> None:
    sides = set()
    for seed in range(24):
        red = draw_glow(64, 64, 0.3, seeded(seed))[0]
        means = torch.stack((red[0].mean(), red[-1].mean(), red[:, 0].mean(), red[:, -1].mean()))
        sides.add(int(means.argmax()))
        assert red[24:40, 24:40].mean() < 0.6 * means.max()
    assert sides == {0, 1, 2, 3}


def test_a_farther_reach_lights_more_of_the_picture(seeded: Callable) -> None:
    lit = [(draw_glow(64, 64, reach, seeded(2))[0] > 0.1).float().mean().item() for reach in (0.15, 0.3, 0.6)]
    assert lit == sorted(lit)
    assert lit[2] > 2.5 * lit[0]
    assert draw_glow(64, 64, 0.3, seeded(2)).max().item() == pytest.approx(0.9, abs=0.3)
