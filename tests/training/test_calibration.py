from dataclasses import replace

import numpy as np
import pytest

from undegrade.degradations import DEGRADATIONS
from undegrade.diagnosis.evidence import NUM_EVIDENCE
from undegrade.diagnosis.head import QUANTILES, STRENGTHS, Head, layers, sigmoid
from undegrade.diagnosis.severity import LEVELS
from undegrade.training.calibration import (
    AT_LEAST,
    FAINT,
    NEEDED,
    Fit,
    Subject,
    _joined,
    _least,
    _with_demands,
    fit_head,
    scale_of,
)
from undegrade.training.observations import Observations

KINDS = ("noise", "haze")
SUBJECT = Subject(name="made-up", kinds=KINDS, num_labels=3, num_embedding=4)


def observations(count: int, seed: int) -> Observations:
    """Logits half as large as they should be; gains that one of the evidences foretells, but for a deviation of 0.5."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((count, 2)) < 0.4).astype(np.float32)
    odds = rng.normal(size=(count, 2)) + np.where(truth == 1, 1.5, -1.5)
    embedding = np.concatenate([truth, rng.normal(0, 0.1, (count, 2))], axis=1)
    rest = rng.normal(size=(count, 2 * len(LEVELS) + 3))
    before = np.concatenate([embedding, odds / 2, rest], axis=1).astype(np.float32)
    evidence = rng.normal(size=(count, NUM_EVIDENCE)).astype(np.float32)
    gains = evidence[:, :1] + rng.normal(0, 0.5, (count, len(STRENGTHS)))
    ways = np.where(truth.sum(1) == 0, "clean", np.where(truth.sum(1) == 1, "one", "two"))
    ways[::10] = "other"
    names = np.where(truth[:, 0] == 1, np.where(truth[:, 1] == 1, "noise+haze", "noise"), "haze")
    return Observations(
        before=before,
        after=before[::-1].copy(),
        evidence=evidence,
        treated=np.eye(2, dtype=np.float32)[rng.integers(0, 2, count)],
        gains=gains.astype(np.float32),
        present=truth,
        levels=np.where(truth == 1, 0.5, np.nan).astype(np.float32),
        ways=ways,
        names=names,
    )


@pytest.mark.slow
def test_what_is_fitted_holds_on_others() -> None:
    head = fit_head(observations(3000, 0), observations(1500, 1), SUBJECT, Fit(epochs=8))
    fresh = observations(3000, 2)
    odds = sigmoid(head.read(fresh.before).logits)
    known = fresh.ways != "other"
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1)):
        inside = known[:, None] & (odds > low) & (odds < high)
        assert fresh.present[inside].mean() == pytest.approx(odds[inside].mean(), abs=0.06)
    foretold = head.foretell(fresh.before, fresh.after, fresh.evidence, fresh.treated)
    for place, quantile in enumerate(QUANTILES):
        below = (fresh.gains[:, :, None] < foretold)[:, :, place].mean()
        assert below == pytest.approx(quantile, abs=0.1)
    assert np.corrcoef(foretold[:, 0, 2], fresh.evidence[:, 0])[0, 1] > 0.9
    lowest = foretold[:, :, 0] > head.demanded[fresh.treated.argmax(1)]
    assert (fresh.gains[lowest] < -0.1).mean() < 0.06
    assert head.demanded.min() >= 0
    assert (head.faint[0], head.demanded_faint[0]) == FAINT["noise"]
    strange = head.strangeness(head.read(fresh.before[known]).embedding)
    assert (strange > 1).mean() == pytest.approx(0.05, abs=0.03)
    # Clean, noise, haze: the first two numbers of the embedding tell them apart.
    likeness = head.places(np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]], np.float32)) @ head.bases.T
    assert likeness.argmax(1).tolist() == [0, 1, 2]


def test_several_networks_are_joined_to_their_mean() -> None:
    rng = np.random.default_rng(0)
    shapes = ((4, 6), (4,), (3, 4), (3,), (2, 3), (2,))
    members = [tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes) for _ in range(3)]
    clues = rng.normal(size=(5, 6)).astype(np.float32)
    mean = np.mean([layers(clues, member) for member in members], 0)
    np.testing.assert_allclose(layers(clues, _joined(members)), mean, atol=1e-5)


def with_demands(seen: Observations, kinds: tuple[str, ...] = KINDS) -> Head:
    """A head that foretells what one of the evidences says, and is sure of everything."""
    bare = fit_head(seen, seen, replace(SUBJECT, kinds=kinds), Fit(epochs=0))
    first = np.zeros((2, len(bare.centre)), np.float32)
    first[:, 0] = 1, -1
    last = np.tile(np.array([[1, -1]], np.float32), (len(STRENGTHS) * len(QUANTILES), 1))
    nothing = np.zeros(2, np.float32)
    gain = (first, nothing, np.eye(2, dtype=np.float32), nothing, last, np.zeros(len(last), np.float32))
    plain = {"centre": np.zeros_like(bare.centre), "spread": np.ones_like(bare.spread)}
    return _with_demands(replace(bare, gain=gain, shift=np.full(2, 99, np.float32), **plain), seen)


def test_two_repairs_in_turn_have_a_demand_of_their_own() -> None:
    seen = observations(1000, 0)
    evidence, gains = np.zeros_like(seen.evidence), np.ones_like(seen.gains)
    both = np.arange(1000) % 4 == 0
    treated = np.where(both[:, None], 1, seen.treated).astype(np.float32)
    evidence[:, 0] = np.where(both, 2.0, 0.5)
    bad = both & (np.arange(1000) % 8 == 0)  # half of what is repaired in turn is ruined
    gains[bad], evidence[bad, 0] = -5, 1.5
    made = with_demands(replace(seen, evidence=evidence, gains=gains, treated=treated))
    assert made.demanded_in_turn == pytest.approx(1.5, abs=0.01)
    assert not made.demanded.any()  # of one alone none is
    gains[bad], gains[~both & (np.arange(1000) % 10 == 1)] = 1, -5
    made = with_demands(replace(seen, evidence=evidence, gains=gains, treated=treated))
    assert made.demanded_in_turn == 0
    assert made.demanded.min() == pytest.approx(0.5, abs=0.01)
    assert with_demands(seen).demanded_in_turn is None


def test_less_is_tried_where_more_is_kept_so() -> None:
    rng = np.random.default_rng(0)
    odds = rng.uniform(0, 1, 1000).astype(np.float32)
    given = np.tile(rng.uniform(0, 3, (1000, 1)), (1, len(STRENGTHS))).astype(np.float32)
    gains = np.ones_like(given)
    needed, demands = _least(NEEDED, odds, given, gains)
    assert (needed, demands.any()) == (0.5, False)
    gains[(odds < 0.72) & (rng.random(1000) < 0.2)] = -9  # ruined, whatever is foretold
    needed, demands = _least(NEEDED, odds, given, gains)
    assert (needed, demands.any()) == (0.8, False)
    needed, demands = _least(NEEDED, odds, given, np.full_like(given, -9))  # nothing is worth trying
    assert needed == 0.5
    assert demands.min() > 2.5


@pytest.mark.parametrize(("unsure", "chosen"), [(600, 0.5), (1200, 0.6)])
def test_a_little_more_is_no_reason_to_try_less(unsure: int, chosen: float) -> None:
    # Without those that are unsure, of which each loses 0.05 dB, 3 or 6 % more are kept.
    odds = np.repeat(np.array([0.55, 0.97], np.float32), (unsure, 1000))
    gains = np.where(odds > 0.9, 1, -0.05).astype(np.float32)[:, None].repeat(len(STRENGTHS), 1)
    assert _least(NEEDED, odds, np.ones_like(gains), gains)[0] == chosen


def test_nothing_is_let_through_of_what_was_never_tried() -> None:
    nothing = np.zeros((0, len(STRENGTHS)), np.float32)
    needed, demands = _least(NEEDED, nothing[:, 0], nothing, nothing)
    assert needed == NEEDED[-1]
    assert np.isinf(demands).all()


def test_darkness_has_to_be_sure_whatever_is_held_out() -> None:
    seen = observations(1000, 0)
    made = with_demands(replace(seen, gains=np.ones_like(seen.gains)), ("noise", "low_light"))
    assert made.needed.tolist() == pytest.approx([0.5, AT_LEAST["low_light"]])


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_every_degradation_has_a_scale(name: str) -> None:
    scale, step = scale_of(name), DEGRADATIONS[name]()
    if not scale.field:
        assert not step.units()
        return
    for level in (0.0, 1.0):
        assert scale.value(level) == pytest.approx(step.at_level(level)[scale.field])
