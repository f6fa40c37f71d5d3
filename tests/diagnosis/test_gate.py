from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.diagnosis import Gate, Wish
from undegrade.diagnosis.gate import CERTAIN, COVERING, SIGNS
from undegrade.diagnosis.head import STRENGTHS, Head, Numbers
from undegrade.errors import UndegradeError

Context = Callable[..., Numbers]
Scene = Callable[[int, int], NDArray[np.float32]]
LABELS = ("clean", "noise", "haze")


@dataclass(frozen=True, kw_only=True)
class Trial:
    kinds: tuple[str, ...]
    before: Numbers
    after: Numbers
    parts: tuple[Numbers, ...]
    repaired: tuple[Numbers, ...]
    assurance: str = ""


def test_several_kinds_are_named_with_how_badly(head: Head, context: Context) -> None:
    found = Gate(head=head).name(np.stack([context(4, 1.5, (0.2, 0.9))]), LABELS, {})
    assert found.present == ("noise", "haze")
    assert found.sentence == "slight noise, sigma about 10; likely strong haze"
    assert found.severities["noise"].value == pytest.approx(10, abs=0.6)
    assert found.severities["haze"].value is None
    assert found.families == {"noise": "noise", "haze": "weather"}
    assert found.strangeness == pytest.approx(0, abs=1e-5)


def test_parts_are_taken_together(head: Head, context: Context) -> None:
    found = Gate(head=head).name(np.stack([context(9, -9), context(-9, -9), context(-9, -9)]), LABELS, {})
    assert found.probabilities["noise"] == pytest.approx(1 / 3, abs=1e-3)
    assert found.label == "clean"
    assert found.healthy


def test_a_level_is_that_of_the_parts_that_show_the_kind(head: Head, context: Context) -> None:
    found = Gate(head=head).name(np.stack([context(9, -9, (0.9, 0)), context(-1, -9, (0.1, 0))]), LABELS, {})
    assert found.severities["noise"].level > 0.75


def test_what_is_far_from_all_is_unknown_unless_a_kind_is_sure(head: Head, context: Context) -> None:
    gate = Gate(head=head)
    found = gate.name(np.stack([context(0.1, -5, off=1)]), LABELS, {})
    assert (found.label, found.present, found.severities) == ("unknown", (), {})
    assert found.sentence == "something that I do not know: left alone"
    assert gate.candidates(found, ()) == ()
    # The surer a kind is, the stranger a picture may be, up to 1.75 times what is usual.
    within = replace(head, strangest=0.2)
    assert Gate(head=within).name(np.stack([context(5, -5, off=1)]), LABELS, {}).label == "noise"
    assert Gate(head=within).name(np.stack([context(0.1, -5, off=1)]), LABELS, {}).label == "unknown"


def test_what_was_measured_to_be_there_is_named_whatever_it_looks_like(
    head: Head, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIGNS, "noise", CERTAIN)
    gate = Gate(head=head)
    for off in (0, 1):  # familiar, and strange
        found = gate.name(np.stack([context(-9, -9, off=off)]), LABELS, {"noise": 20.0})
        assert (found.label, found.present, found.probability) == ("noise", ("noise",), pytest.approx(0.99))
        assert found.severities["noise"].value == pytest.approx(20)
    for value, level in ((70.0, 1), (-1.0, 0)):  # beyond what is known
        found = gate.name(np.stack([context(-9, -9)]), LABELS, {"noise": value})
        assert found.severities["noise"].level == level
    for kind in ("jpeg", "haze"):  # of which the head knows nothing, or no severity
        assert gate.name(np.stack([context(-9, -9)]), LABELS, {kind: 50.0}).present == ()


def test_what_measures_as_noisy_as_nothing_else_has_to_look_a_little_noisy(head: Head, context: Context) -> None:
    gate, signs = Gate(head=head), {"noise": 20.0}
    assert gate.name(np.stack([context(-3, -9)]), LABELS, signs).label == "clean"  # one in twenty
    found = gate.name(np.stack([context(-1, -9)]), LABELS, signs)
    assert (found.label, found.probability) == ("noise", pytest.approx(0.75))
    assert found.severities["noise"].value == pytest.approx(20)
    demanding = Gate(head=replace(head, needed=np.full_like(head.needed, 0.9)))
    found = demanding.name(np.stack([context(-1, -9)]), LABELS, signs)
    assert demanding.candidates(found, ()) == ("noise",)
    assert gate.name(np.stack([context(6, -9)]), LABELS, signs).probability > 0.99
    strange = gate.name(np.stack([context(-1, -9, off=1)]), LABELS, signs)
    assert (strange.label, strange.present) == ("unknown", ())  # texture of what is strange
    assert strange.probabilities["noise"] < 0.5
    assert gate.name(np.stack([context(-1, -9)]), LABELS, {}).label == "clean"


def test_what_is_certain_makes_nothing_else_surer(
    head: Head, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIGNS, "noise", CERTAIN)
    gate = Gate(head=replace(head, strangest=0.2))
    hazy = np.stack([context(-9, 1.2, off=1)])
    assert gate.name(hazy, LABELS, {}).present == ()  # too strange for haze of which it is not sure
    assert gate.name(hazy, LABELS, {"noise": 20.0}).present == ("noise",)
    forced = Gate(head=head, wish=Wish(force=True))
    found = forced.name(np.stack([context(-9, 4)]), LABELS, {"noise": 20.0})
    assert forced.candidates(found, ()) == ("haze",)  # what is likeliest by what the grader sees


def test_a_repair_of_what_is_there_for_certain_need_not_promise_anything(
    head: Head, context: Context, scene: Scene
) -> None:
    picture = 0.2 + 0.6 * scene(64, 64)
    wary = replace(head, gain=(*head.gain[:-1], np.full(6, -3, np.float32)))
    assert Gate(head=wary).weigh(trial(context, picture, picture)).strength == 0
    verdict = Gate(head=wary).weigh(trial(context, picture, picture, assurance="certain"))
    assert (verdict.strength, verdict.gain, verdict.reason) == (1, 0.5, "")
    red = picture * np.array([1, 0.5, 0.5], np.float32)[:, None, None]
    assert "colours" in Gate(head=wary).weigh(trial(context, picture, red, assurance="certain")).reason


def test_of_what_is_clear_it_is_enough_to_expect_a_little(head: Head, context: Context, scene: Scene) -> None:
    picture = 0.2 + 0.6 * scene(64, 64)
    for expected, strength in ((0.6, 1), (0.4, 0)):
        wary = replace(head, gain=(*head.gain[:-1], np.array([-3, -1, expected] * 2, np.float32)))
        assert Gate(head=wary).weigh(trial(context, picture, picture)).strength == 0
        assert Gate(head=wary).weigh(trial(context, picture, picture, assurance="clear")).strength == strength


def test_what_is_asked_for_is_tried_and_nothing_twice(head: Head, context: Context) -> None:
    both = Gate(head=head).name(np.stack([context(4, 3)]), LABELS, {})
    assert Gate(head=head).candidates(both, ()) == ("noise", "haze")
    assert Gate(head=head).candidates(both, ("noise",)) == ("haze",)
    assert Gate(head=head, wish=Wish(only=("haze",))).candidates(both, ()) == ("haze",)
    assert Gate(head=head, wish=Wish(skip=("haze",))).candidates(both, ("noise",)) == ()
    well = Gate(head=head).name(np.stack([context(-4, -3)]), LABELS, {})
    assert Gate(head=head).candidates(well, ()) == ()
    forced = Gate(head=head, wish=Wish(force=True))
    assert forced.candidates(well, ()) == ("haze",)
    assert not forced.checks
    assert forced.candidates(well, ("haze",)) == ()
    several = Gate(head=head, wish=Wish(only=("noise", "haze"), force=True))  # as they were named
    done: tuple[str, ...] = ()
    for kind in ("noise", "haze"):
        assert several.candidates(well, done) == (kind,)
        done += (kind,)
    assert several.candidates(well, done) == ()
    assert Gate(head=head, wish=Wish(skip=("noise", "haze"), force=True)).candidates(well, ()) == ()


def test_too_small_a_picture_is_not_judged(head: Head) -> None:
    found = Gate(head=head).beyond(31, 400)
    assert found is not None
    assert found.label == "unknown"
    assert found.sentence == "too small to judge, 400 x 31 pixels where 32 x 32 are needed: left alone"
    assert Gate(head=head).beyond(32, 32) is None
    assert Gate(head=head, wish=Wish(force=True)).beyond(1, 1) is None


def test_wishes_have_to_be_known() -> None:
    with pytest.raises(UndegradeError, match=r"skip: 'fog' is not known; the model repairs noise, haze"):
        Wish(skip=("fog",)).of(("noise", "haze"))
    with pytest.raises(UndegradeError, match=r"only: 'nois' is not known \(did you mean noise\?\)"):
        Wish(only=("nois",)).of(("haze", "noise"))
    with pytest.raises(UndegradeError, match=r"only: 'of' is not known; the model"):  # as in "out of focus"
        Wish(only=("of",)).of(("defocus_blur",))
    assert Wish(only=("noise",)).of(("noise", "haze")).only == ("noise",)
    assert Wish(only=("scratches",)).of(("inpainting",)).only == ("inpainting",)
    assert Wish(only=("scratches",)).of(("inpainting", "scratches")).only == ("scratches",)  # the model's own
    for word in ("scratches", "scratch"):
        with pytest.raises(UndegradeError, match=f"only: '{word}' is not known; the model repairs noise$"):
            Wish(only=(word,)).of(("noise",))
    with pytest.raises(UndegradeError, match="did you mean scratches"):
        Wish(only=("scratch",)).of(("noise", "inpainting"))
    with pytest.raises(
        UndegradeError, match="only: the model names no kinds and repairs all it is given; ask for none"
    ):
        Wish(only=("noise",)).of(())


def trial(context: Context, part: NDArray[np.float32], made: NDArray[np.float32], **changes: object) -> Trial:
    facts = {
        "kinds": ("noise",),
        "before": np.stack([context(4, -4)] * 2),
        "after": np.stack([context(-4, -4)] * 2),
        "parts": (part, part),
        "repaired": (made, made),
    }
    return Trial(**{**facts, **changes})  # type: ignore[arg-type]


def test_a_repair_that_helps_goes_through(head: Head, context: Context, scene: Scene) -> None:
    picture = 0.2 + 0.6 * scene(64, 64)
    verdict = Gate(head=head).weigh(trial(context, picture, picture * np.float32(0.99)))
    assert (verdict.strength, verdict.gain, verdict.reason) == (1, 3, "")


def test_a_repair_that_may_do_harm_is_halved_or_left(head: Head, context: Context, scene: Scene) -> None:
    picture = 0.2 + 0.6 * scene(64, 64)
    for bias, strength, reason in (
        ([-2, -1, 3, 0.5, 1, 2], 0.5, "by half"),
        ([-2, -1, 3, -2, -1, 2], 0, "might do harm"),
    ):
        doubtful = replace(head, gain=(*head.gain[:-1], np.array(bias, np.float32)))
        verdict = Gate(head=doubtful).weigh(trial(context, picture, picture))
        assert verdict.strength == strength
        assert reason in verdict.reason


def test_a_repair_may_go_three_quarters_of_the_way(head: Head, context: Context, scene: Scene) -> None:
    picture = 0.2 + 0.6 * scene(64, 64)
    gains = np.array([-1, 0, 1, 0.2, 1, 2, 0.3, 1, 1.5], np.float32)
    finer = replace(
        head,
        gain=(*head.gain[:4], np.zeros((9, 5), np.float32), gains),
        demanded=np.zeros((2, 3), np.float32),
        strengths=STRENGTHS,
    )
    verdict = Gate(head=finer).weigh(trial(context, picture, picture))
    assert (verdict.strength, verdict.gain) == (0.75, 2)
    assert "by three quarters" in verdict.reason


@pytest.mark.parametrize("kind", COVERING)
def test_what_covers_a_picture_may_be_most_of_it(head: Head, context: Context, kind: str) -> None:
    wall, night = np.full((3, 64, 64), 0.5, np.float32), np.zeros((3, 64, 64), np.float32)
    of = Gate(head=replace(head, kinds=("noise", kind)))
    asked = {"kinds": (kind,), "before": np.stack([context(-4, 4)] * 2)}
    for behind, reason in ((wall, "what is in the picture"), (night, "drown shadows")):
        covered = behind.copy()
        covered[:, 20:23] += 0.4
        assert of.weigh(trial(context, covered, behind, **asked)).strength == 1
        assert reason in of.weigh(trial(context, covered, behind)).reason
    flooded = night.copy()
    flooded[:, :20] = 0.4
    assert "drown shadows" in of.weigh(trial(context, flooded, night, **asked)).reason


def test_more_is_demanded_of_some_kinds(head: Head, context: Context, scene: Scene) -> None:
    picture = 0.2 + 0.6 * scene(64, 64)
    hazy = {"kinds": ("haze",), "before": np.stack([context(-4, 4)] * 2), "after": np.stack([context(-4, -4)] * 2)}
    weaker = replace(head, gain=(*head.gain[:-1], np.array([0.8, 0.85, 3, 0.5, 0.6, 2], np.float32)))
    assert Gate(head=weaker).weigh(trial(context, picture, picture)).strength == 1
    assert Gate(head=weaker).weigh(trial(context, picture, picture, **hazy)).strength == 0.5


def test_two_repairs_in_turn_have_to_promise_enough(head: Head, context: Context, scene: Scene) -> None:
    picture = 0.2 + 0.6 * scene(64, 64)
    both = {"kinds": ("noise", "haze"), "before": np.stack([context(4, 4)] * 2)}
    for demanded, strength in ((0.9, 1), (1.1, 0)):  # the more cautious quantile of the two is 1 dB, and 0.5 by half
        wary = replace(head, demanded_in_turn=demanded)
        assert Gate(head=wary).weigh(trial(context, picture, picture, **both)).strength == strength
    verdict = Gate(head=wary).weigh(trial(context, picture, picture, **both))
    assert verdict.reason == "noise and haze: a repair might do harm, so left as it is"
    grown = np.stack([context(-4, 4, (0.5, 0.9))] * 2)
    verdict = Gate(head=head).weigh(trial(context, picture, picture, **both, after=grown))
    assert "more of it after a repair" in verdict.reason


def test_darkness_and_haze_are_tried_in_turn_where_both_are_sure(head: Head, context: Context) -> None:
    dim = replace(head, kinds=("low_light", "haze"))
    for contexts, pairs in (((4, 4), (("low_light", "haze"),)), ((4, 2), ()), ((-1, 4), ())):
        found = Gate(head=dim).name(np.stack([context(*contexts)]), LABELS, {})
        assert Gate(head=dim).in_turn(found, ()) == pairs
        for wish in (Wish(skip=("haze",)), Wish(only=("haze",)), Wish(force=True)):
            assert Gate(head=dim, wish=wish).in_turn(found, ()) == ()
        assert Gate(head=dim).in_turn(found, ("haze",)) == ()
        assert Gate(head=replace(dim, demanded_in_turn=None)).in_turn(found, ()) == ()


def test_more_is_demanded_of_what_is_faint(head: Head, context: Context, scene: Scene) -> None:
    picture = 0.2 + 0.6 * scene(64, 64)  # of a repair that promises 1 dB at least
    for below, demand, strength in ((1.1, 1.5, 0), (1.1, 0.9, 1), (0.0, 1.5, 1)):
        changes = {"faint": below, "demanded_faint": demand}
        wary = replace(head, **{name: np.array([value, 0], np.float32) for name, value in changes.items()})
        assert Gate(head=wary).weigh(trial(context, picture, picture)).strength == strength


def test_only_some_kinds_are_not_gone_by_the_lowest_quantile(head: Head, context: Context, scene: Scene) -> None:
    picture = 0.2 + 0.6 * scene(64, 64)
    split = replace(head, gain=(*head.gain[:-1], np.array([-9, 2, 3, -9, 2, 2], np.float32)))  # it may ruin the picture
    assert Gate(head=split).weigh(trial(context, picture, picture)).strength == 0
    bolder = replace(split, cautious=np.array([0.25, 0.25], np.float32))
    assert Gate(head=bolder).weigh(trial(context, picture, picture)).strength == 1


def test_and_is_tried_only_where_it_is_surely_there(head: Head, context: Context) -> None:
    for logit, kinds in ((3, ("haze",)), (2, ())):  # probabilities 0.88 and 0.73
        found = Gate(head=head).name(np.stack([context(-4, logit)]), LABELS, {})
        assert found.present == ("haze",)
        assert Gate(head=head).candidates(found, ()) == kinds
        doubts = () if kinds else ("haze: not sure enough of it to try a repair",)
        assert Gate(head=head).doubts(found, found, ()) == doubts
        assert Gate(head=head).doubts(found, found, ("haze",)) == ()
        assert Gate(head=head).likely(found) == ("haze",)
        assert Gate(head=head, wish=Wish(skip=("haze",))).likely(found) == ()
        assert Gate(head=head, wish=Wish(skip=("haze",))).doubts(found, found, ()) == ("haze: left alone, as asked",)
        assert Gate(head=head, wish=Wish(force=True)).doubts(found, found, ()) == ()
    gone = Gate(head=head).name(np.stack([context(-4, -3)]), LABELS, {})
    found = Gate(head=head).name(np.stack([context(-4, 3)]), LABELS, {})
    assert Gate(head=head).doubts(found, gone, ("noise",)) == (
        "haze: no longer sure enough of it after the other repair",
    )
    assert Gate(head=head).doubts(found, gone, ("noise", "haze")) == ()


def test_a_repair_is_refused_for_what_it_does(head: Head, context: Context, scene: Scene) -> None:
    gate, picture = Gate(head=head), 0.2 + 0.6 * scene(64, 64)
    redder = picture + np.array([0.1, 0, 0], np.float32)[:, None, None]
    burnt = np.where(picture > 0.6, np.float32(1), picture)
    other = picture[:, ::-1, ::-1].copy()
    for after, reason in ((redder, "change the colours"), (burnt, "burn out"), (other, "what is in the picture")):
        verdict = gate.weigh(trial(context, picture, after))
        assert verdict.strength == 0
        assert reason in verdict.reason
        assert verdict.reason.startswith("noise: ")
    worse = trial(context, picture, picture, after=np.stack([context(5, -4, (0.9, 0.5))] * 2))
    assert "more of it after a repair" in gate.weigh(worse).reason
    hazy = {"kinds": ("haze",), "before": np.stack([context(-4, 4)] * 2), "after": np.stack([context(-4, -4)] * 2)}
    assert gate.weigh(trial(context, picture, redder, **hazy)).strength == 1  # haze has to change the colours


def test_the_probabilities_of_parts(head: Head, context: Context) -> None:
    kinds, shares = Gate(head=head).shares(np.stack([context(1, 2)]), LABELS)
    assert kinds == ("noise", "haze")
    np.testing.assert_allclose(shares, 1 / (1 + np.exp(-np.array([[2, 1]]))), rtol=1e-5)
