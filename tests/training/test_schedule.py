import math
from itertools import pairwise

import pytest

from undegrade.training.schedule import SCHEDULES, share_of_peak


def test_it_rises_linearly_and_then_falls_by_half_a_cosine() -> None:
    rates = [share_of_peak(step, kind="cosine", steps=100, warmup=20, floor=0.1) for step in range(100)]
    assert rates[:20] == pytest.approx([(i + 1) / 20 for i in range(20)])
    expected = [0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * i / 80)) for i in range(80)]
    assert rates[20:] == pytest.approx(expected)
    assert max(rates) == 1
    assert all(a > b for a, b in pairwise(rates[20:]))


def test_it_ends_at_the_floor_and_stays() -> None:
    assert share_of_peak(100, kind="cosine", steps=100, warmup=20, floor=0.1) == pytest.approx(0.1)
    assert share_of_peak(1000, kind="cosine", steps=100, warmup=20, floor=0.1) == pytest.approx(0.1)


def test_a_floor_of_one_keeps_the_rate() -> None:
    assert [share_of_peak(s, kind="cosine", steps=50, warmup=0, floor=1.0) for s in (0, 25, 49)] == [1.0, 1.0, 1.0]


def test_the_linear_one_falls_by_equal_steps() -> None:
    rates = [share_of_peak(step, kind="linear", steps=100, warmup=20, floor=0.2) for step in range(101)]
    assert rates[:20] == pytest.approx([(i + 1) / 20 for i in range(20)])
    assert rates[20:] == pytest.approx([1 - 0.8 * i / 80 for i in range(81)])


def test_the_constant_one_stays_after_the_warm_up() -> None:
    rates = [share_of_peak(step, kind="constant", steps=10, warmup=2, floor=0.1) for step in range(12)]
    assert rates == [0.5] + [1.0] * 11


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (3, 3), (2, 10)])
def test_the_shortest_stages_have_rates_too(kind: str, steps: int, warmup: int) -> None:
    rates = [share_of_peak(step, kind=kind, steps=steps, warmup=warmup, floor=0.0) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
