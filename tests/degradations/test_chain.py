from collections import Counter
from collections.abc import Callable

import pytest
import torch

from undegrade.batch import Record
from undegrade.degradations import COMPOUNDS, Chain, find_step, parse, replay
from undegrade.degradations.chain import Maybe, OneOf, RandomOrder, outline
from undegrade.degradations.records import from_text, to_text
from undegrade.errors import UndegradeError

STEPS = tuple(parse(text) for text in ("haze", "noise(sigma=5..20)", "mosaic", "jpeg(quality=30)"))


def names(records: tuple[Record, ...]) -> tuple[str, ...]:
    return tuple(record.degradation for record in records)


def test_a_chain_equals_the_composition_by_hand(grain: Callable, seeded: Callable) -> None:
    clean, chain = grain(2, 3, 24, 32), Chain(steps=STEPS)
    before = clean.clone()
    records = chain.plan(seeded(1))
    by_hand = clean
    for step, record in zip(STEPS, records, strict=True):
        by_hand = step.degrade(by_hand, seeded(record.seed), record.severities)
    assert torch.equal(replay(clean, records), by_hand)
    assert torch.equal(clean, before)
    assert not torch.equal(by_hand, clean)


def test_what_is_planned_follows_from_the_seed(seeded: Callable) -> None:
    assert Chain(steps=STEPS).plan(seeded(3)) == Chain(steps=STEPS).plan(seeded(3))
    first, second = Chain(steps=(STEPS[1], STEPS[1])).plan(seeded(3))
    assert first.seed != second.seed


def test_the_order_matters(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 24, 24)
    noise, jpeg = Chain(steps=(parse("noise(sigma=30)"), parse("jpeg(quality=10)"))).plan(seeded(0))
    assert (replay(clean, (noise, jpeg)) - replay(clean, (jpeg, noise))).abs().max() > 0.1


def test_no_steps_no_change(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 16, 16)
    assert torch.equal(replay(clean, Chain(steps=()).plan(seeded(0))), clean)


def test_steps_of_one_scene_share_the_depth(seeded: Callable) -> None:
    thin, thick = (parse(f"haze(density={density},airlight=1,relief=1)") for density in (0.5, 1.0))
    records = Chain(steps=(thin, thick), shared_depth=True).plan(seeded(0))
    once, twice = (replay(torch.zeros(3, 30, 30), (record,)).amin(0) for record in records)
    torch.testing.assert_close(torch.log(1 - twice), 2 * torch.log(1 - once), atol=0.05, rtol=0.05)


def test_one_is_chosen_by_weight(seeded: Callable) -> None:
    choice, rng = OneOf(steps=STEPS, weights=(0, 3, 1, 0)), seeded(0)
    counts = Counter(names(choice.plan(rng)) for _ in range(400))
    assert set(counts) == {("noise",), ("mosaic",)}
    assert 260 < counts["noise",] < 340  # 300, and 4.6 standard deviations


def test_a_step_happens_by_chance(seeded: Callable) -> None:
    rng = seeded(0)
    counts = Counter(names(Maybe(step=STEPS[2], chance=0.25).plan(rng)) for _ in range(400))
    assert 60 < counts["mosaic",] < 140
    assert counts["mosaic",] + counts[()] == 400


def test_any_order_and_any_number(seeded: Callable) -> None:
    rng, plans = seeded(0), Counter()
    for _ in range(600):
        plans[names(RandomOrder(steps=STEPS[:3], fewest=0, most=2).plan(rng))] += 1
    singles = [(s.label,) for s in STEPS[:3]]
    pairs = [(a.label, b.label) for a in STEPS[:3] for b in STEPS[:3] if a is not b]
    assert set(plans) == {(), *singles, *pairs}
    assert 150 < plans[()] < 250


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OneOf(steps=()), "one_of: weights is"),
        (lambda: OneOf(steps=STEPS, weights=(1.0,)), "one_of: weights is"),
        (lambda: OneOf(steps=STEPS, weights=(0.0,) * 4), "not all 0"),
        (lambda: Maybe(step=STEPS[0], chance=1.5), "maybe: chance is 1.5; expected 0 to 1"),
        (lambda: RandomOrder(steps=STEPS, most=5), "random_order: fewest is 0 and most 5"),
        (lambda: RandomOrder(steps=STEPS, fewest=3, most=2), "random_order: fewest is 3 and most 2"),
    ],
)
def test_what_cannot_be_drawn_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UndegradeError, match=message):
        make()


def test_the_weakest_levels_alone_can_be_drawn(seeded: Callable) -> None:
    rng = seeded(0)
    for _ in range(20):
        (noise,) = parse("noise").plan(rng, (0.0, 0.2))
        (jpeg,) = parse("jpeg").plan(rng, (0.0, 0.2))
        assert 0 <= noise.severities["sigma"] <= 10
        assert 74 <= jpeg.severities["quality"] <= 90


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_the_level_is_found_again_from_the_severities(level: float) -> None:
    for text in ("noise", "low_light", "haze", "rain"):
        assert parse(text).level_of(parse(text).at_level(level)) == pytest.approx(level, abs=1e-4)
    assert parse("jpeg").level_of({"quality": 90.0}) == 0
    assert parse("jpeg").level_of({"quality": 10.0}) == 1
    assert parse("mosaic").level_of({}) == 1


@pytest.mark.parametrize("name", COMPOUNDS)
def test_every_compound_keeps_shape_and_range_and_replays_from_its_text(
    name: str, grain: Callable, seeded: Callable
) -> None:
    clean = grain(3, 37, 50, low=0.1, high=0.9)
    for seed in range(3):
        records = find_step(name).plan(seeded(seed))
        try:
            spoiled = replay(clean, records)
        except UndegradeError as error:
            assert "video" in str(error)  # noqa: PT017
            pytest.skip("needs the extra video")
        assert spoiled.shape == clean.shape
        assert 0 <= spoiled.min() <= spoiled.max() <= 1
        assert torch.equal(replay(clean, from_text(to_text(records))), spoiled)
        assert bool(records) != torch.equal(spoiled, clean)


def test_compounds_are_outlined_in_one_line() -> None:
    step = Chain(steps=(Maybe(step=STEPS[1], chance=0.8), OneOf(steps=STEPS[2:])))
    assert outline(step) == "80 % noise, then one of (mosaic, jpeg)"
    assert outline(RandomOrder(steps=STEPS[:2], most=2)) == "0 to 2 of (haze, noise) in random order"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (Record(degradation="noize", severities={}, seed=0), "unknown degradation 'noize'; did you mean 'noise'"),
        (Record(degradation="noise", severities={}, seed=0), r"noise: the record has \[\]; expected sigma"),
        (Record(degradation="noise", severities={"sigma": 999.0}, seed=0), "noise: sigma is .*within 0 to 255"),
    ],
)
def test_records_that_cannot_be_replayed_are_refused(record: Record, message: str, grain: Callable) -> None:
    with pytest.raises(UndegradeError, match=message):
        replay(grain(3, 16, 16), (record,))


@pytest.mark.parametrize("text", ["", "undegrade: {", "undegrade: [1]", 'undegrade: [{"degradation": "noise"}]'])
def test_text_that_is_no_record_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UndegradeError, match="the record cannot be read") as caught:
        from_text(text)
    assert "\n" not in str(caught.value)
