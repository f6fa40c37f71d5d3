import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.light import to_linear
from undegrade.degradations.shadow import Shadow, shadow_mask


def test_what_lies_in_the_light_is_exactly_untouched(grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 50, 60)
    for seed in range(6):
        spoiled, mask = Shadow().apply_with_mask(clean, seeded(seed), stops=2.0, cover=0.3)
        lit = (mask == 0).expand_as(clean)
        assert torch.equal(spoiled[lit], clean[lit])
        assert (spoiled < clean)[(mask > 0.01).expand_as(clean) & (clean > 0.05)].all()
        assert lit.any()
        assert torch.equal(spoiled, Shadow().apply(clean, seeded(seed), stops=2.0, cover=0.3))


@pytest.mark.parametrize("stops", [0.5, 2.0])
def test_the_light_falls_by_the_stated_stops_and_turns_bluer(stops: float, seeded: Callable) -> None:
    clean = torch.full((3, 60, 60), 0.7)
    for seed in range(6):
        spoiled, mask = Shadow().apply_with_mask(clean, seeded(seed), stops=stops, cover=0.4)
        left = to_linear(spoiled) / to_linear(clean)
        # left = 1 - m * (1 - a): a is known wherever there is shadow.
        umbra = (1 - (1 - left) / mask)[:, mask[0] > 0.2]
        red, green, blue = umbra.median(1).values.tolist()
        assert green == pytest.approx(2**-stops, rel=1e-3)
        assert red < green < blue
        assert -math.log2(blue) >= 0.85 * stops - 1e-3
        assert (umbra - umbra.median(1, keepdim=True).values).abs().max() < 1e-3


@pytest.mark.parametrize("shape", [(3, 1, 64, 64), (1, 300, 520), (2, 1, 17, 40)])
@pytest.mark.parametrize("cover", [0.15, 0.6])
def test_the_stated_share_is_in_shadow(shape: tuple[int, ...], cover: float, seeded: Callable) -> None:
    for seed in range(6):
        mask = shadow_mask(shape, seeded(seed), cover=cover)
        assert mask.shape == shape
        assert mask.min() >= 0
        assert mask.max() <= 1
        shares = (mask > 0.5).double().mean((-1, -2)).flatten()
        assert shares.tolist() == pytest.approx([cover] * len(shares), abs=0.02)


def test_a_larger_share_covers_the_same_place_and_more(seeded: Callable) -> None:
    for seed in range(6):
        small, large = (shadow_mask((1, 64, 64), seeded(seed), cover=cover) for cover in (0.2, 0.5))
        assert (large >= small).all()
        assert large.sum() > 1.3 * small.sum()


def test_pictures_of_a_batch_have_their_own_shadows(seeded: Callable) -> None:
    for seed in range(6):
        first, second = shadow_mask((2, 1, 40, 40), seeded(seed), cover=0.4)
        assert (first - second).abs().max() > 0.5
