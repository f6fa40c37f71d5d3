import math
from itertools import pairwise

import pytest

from undegrade.training.schedule import warmup_cosine


def test_it_rises_linearly_and_then_falls_by_half_a_cosine() -> None:
    rates = [warmup_cosine(step, steps=100, warmup=20, floor=0.1) for step in range(100)]
    assert rates[:20] == pytest.approx([(i + 1) / 20 for i in range(20)])
    expected = [0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * i / 80)) for i in range(80)]
    assert rates[20:] == pytest.approx(expected)
    assert max(rates) == 1
    assert all(a > b for a, b in pairwise(rates[20:]))


def test_it_ends_at_the_floor_and_stays() -> None:
    assert warmup_cosine(100, steps=100, warmup=20, floor=0.1) == pytest.approx(0.1)
    assert warmup_cosine(1000, steps=100, warmup=20, floor=0.1) == pytest.approx(0.1)


def test_a_floor_of_one_keeps_the_rate() -> None:
    assert [warmup_cosine(s, steps=50, warmup=0, floor=1.0) for s in (0, 25, 49)] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (3, 3), (2, 10)])
def test_the_shortest_stages_have_rates_too(steps: int, warmup: int) -> None:
    rates = [warmup_cosine(step, steps=steps, warmup=warmup, floor=0.0) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
