from collections.abc import Callable

import pytest
import torch

from undegrade.degradations import Chain, parse

STEPS = tuple(parse(text) for text in ("haze", "noise(sigma=5..20)", "mosaic", "jpeg(quality=30)"))


def test_it_equals_the_composition_by_hand(grain: Callable, seeded: Callable) -> None:
    clean, chain = grain(2, 3, 24, 32), Chain(steps=STEPS)
    before = clean.clone()
    severities = chain.sample(seeded(1))
    together = chain.degrade(clean, seeded(2), severities)
    rng, by_hand = seeded(2), clean
    for step, drawn in zip(STEPS, severities, strict=True):
        by_hand = step.degrade(by_hand, rng, drawn)
    assert torch.equal(together, by_hand)
    assert torch.equal(clean, before)
    assert not torch.equal(together, clean)


def test_severities_are_drawn_in_the_order_of_the_steps(seeded: Callable) -> None:
    rng = seeded(3)
    assert Chain(steps=STEPS).sample(seeded(3)) == tuple(step.sample(rng) for step in STEPS)


def test_the_order_matters(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 24, 24)
    noise, jpeg = parse("noise(sigma=30)"), parse("jpeg(quality=10)")
    severities = {"noise": {"sigma": 30.0}, "jpeg": {"quality": 10.0}}
    first, second = (
        Chain(steps=steps).degrade(clean, seeded(0), tuple(severities[s.label] for s in steps))
        for steps in ((noise, jpeg), (jpeg, noise))
    )
    assert (first - second).abs().max() > 0.1


def test_no_steps_no_change(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 16, 16)
    assert torch.equal(Chain(steps=()).degrade(clean, seeded(0), ()), clean)


def test_each_step_needs_its_severities(grain: Callable, seeded: Callable) -> None:
    with pytest.raises(ValueError, match="zip"):
        Chain(steps=STEPS[1:3]).degrade(grain(3, 16, 16), seeded(0), ({"sigma": 5.0},))
