import math
from collections.abc import Callable

import pytest

from undegrade.degradations.salt_and_pepper import SaltAndPepper


@pytest.mark.parametrize("share", [0.01, 0.2, 0.7])
def test_the_stated_share_is_hit_half_of_it_white(share: float, grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 128, 128, low=0.1, high=0.9)
    noisy = SaltAndPepper().apply(clean, seeded(0), share=share)
    count = clean[:, 0].numel()
    for value, expected in ((0, share / 2), (1, share / 2)):
        found = (noisy == value).all(1).double().mean().item()
        assert found == pytest.approx(expected, abs=3 * math.sqrt(expected * (1 - expected) / count))


def test_all_channels_are_hit_together_and_the_rest_is_exactly_untouched(grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 40, 50, low=0.1, high=0.9)
    noisy = SaltAndPepper().apply(clean, seeded(1), share=0.1)
    hit = (noisy == 0).all(1, keepdim=True) | (noisy == 1).all(1, keepdim=True)
    assert (noisy == clean)[(~hit).expand_as(clean)].all()
    assert hit.any()
    assert not hit[0].equal(hit[1])


def test_a_larger_share_hits_the_same_pixels_and_more(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 40, 50, low=0.1, high=0.9)
    few, many = (SaltAndPepper().apply(clean, seeded(2), share=share) != clean for share in (0.05, 0.15))
    assert (many | ~few).all()
    assert many.sum() > 2 * few.sum()
