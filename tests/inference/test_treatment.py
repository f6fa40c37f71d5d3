"""What the restorer does with a judge that wants to see repairs tried."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.images import Picture
from undegrade.images.colour import blended
from undegrade.inference.backend import Backend
from undegrade.inference.locating import draw_map, legend, locate
from undegrade.inference.restorer import Restorer
from undegrade.inference.rows import Held
from undegrade.inference.treatment import Trial, steered, surely, together

Pixels = NDArray[np.float32]
Scene = Callable[[int, int], Pixels]
LABELS = ("clean", "haze", "snow")


class Shift(Backend):
    """Repairs haze by adding 0.1, snow by adding 0.2, anything else not; is itself sure of haze."""

    name, labels, size_multiple, multi_label = "shift", LABELS, 16, False

    def __init__(self) -> None:
        self.runs = 0

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        self.runs += 1
        own = np.array([image.mean(), 0, 9, 0], np.float32)
        kind = int((own if context is None else context)[1:].argmax())
        return image + np.float32(0.1 * kind), own


class Wide(Shift):
    """Knows more kinds."""

    labels = ("clean", "haze", "snow", "rain", "blur")

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        return image, np.array([image.mean(), 0, 9, 0, 0, 0], np.float32)


@dataclass(frozen=True)
class Found:
    label: str = "haze"
    probability: float = 0.9


@dataclass(frozen=True)
class Answer:
    strength: float
    gain: float
    reason: str = ""


@dataclass
class Ordered:
    """Asks for these kinds, one after the other, and answers trials as it is told."""

    answers: dict[str, Answer]
    checks: bool = True
    measures: bool = True
    doubtful: tuple[str, ...] = ()
    trials: list[Trial] = field(default_factory=list)

    def name(self, contexts: Pixels, labels: tuple[str, ...], signs: Mapping[str, float]) -> Found:
        return Found()

    def beyond(self, height: int, width: int) -> Found | None:
        return Found(label="unknown") if height < 16 else None

    def shares(self, contexts: Pixels, labels: tuple[str, ...]) -> tuple[tuple[str, ...], Pixels]:
        return ("haze",), (contexts[:, :1] > 0.5).astype(np.float32)

    def candidates(self, finding: Found, done: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(kind for kind in self.answers if kind not in done and "+" not in kind)

    def in_turn(self, finding: Found, done: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        pairs = [tuple(kinds.split("+")) for kinds in self.answers if "+" in kinds]
        return tuple(pair for pair in pairs if not set(pair) & set(done))

    def likely(self, finding: Found) -> tuple[str, ...]:
        return tuple(self.answers)

    def doubts(self, finding: Found, last: Found, done: tuple[str, ...]) -> tuple[str, ...]:
        return () if done else self.doubtful

    def weigh(self, trial: Trial) -> Answer:
        self.trials.append(trial)
        return self.answers["+".join(trial.kinds)]


def test_what_promises_most_comes_first_and_then_the_rest(scene: Scene) -> None:
    judge = Ordered({"haze": Answer(1, 1), "snow": Answer(1, 2)})
    picture = Picture(pixels=scene(64, 80) * np.float32(0.5))
    restored = Restorer(Shift(), judge).restore(picture)
    assert restored.treatment.repaired == (("snow", 1), ("haze", 1))
    np.testing.assert_allclose(restored.picture.pixels, picture.pixels + 0.3, atol=1e-6)
    assert [trial.kinds for trial in judge.trials] == [("haze",), ("snow",), ("haze",)]
    np.testing.assert_allclose(judge.trials[2].parts[0], picture.pixels + 0.2, atol=1e-6)  # as it is by then


def test_two_repairs_in_turn_are_weighed_as_one(scene: Scene) -> None:
    no = Answer(0, 0, "might do harm")
    picture = Picture(pixels=scene(64, 80) * np.float32(0.5))
    judge = Ordered({"haze": no, "snow": no, "haze+snow": Answer(1, 2)})
    restored = Restorer(Shift(), judge).restore(picture)
    assert restored.treatment.repaired == (("haze", 1), ("snow", 1))
    np.testing.assert_allclose(restored.picture.pixels, picture.pixels + 0.3, atol=1e-6)
    both = judge.trials[-1]
    np.testing.assert_allclose(both.repaired[0] - both.parts[0], 0.3, atol=1e-6)
    np.testing.assert_allclose(both.after[:, 0] - both.before[:, 0], 0.3, atol=1e-6)
    for answer in (no, Answer(0.5, 9, "by half"), Answer(1, 2)):  # half of both is no mixture; and one promises more
        alone = Answer(1, 3)
        judge = Ordered({"haze": alone, "snow": no, "haze+snow": answer})
        assert Restorer(Shift(), judge).restore(picture).treatment.repaired == (("haze", 1),)


def test_a_picture_is_repaired_three_times_at_most(scene: Scene) -> None:
    answers = {"haze": Answer(1, 3), "rain": Answer(1, 2), "snow": Answer(1, 1), "blur": Answer(1, 1)}
    judge = Ordered({**answers, "snow+blur": Answer(1, 9)})
    repaired = Restorer(Wide(), judge).restore(Picture(pixels=scene(64, 80) * np.float32(0.5))).treatment.repaired
    assert [kind for kind, _ in repaired] == ["snow", "blur", "haze"]
    late = Ordered({"haze": Answer(1, 3), "rain": Answer(1, 2), "snow": Answer(0, 0), "blur": Answer(0, 0)})
    late.answers["snow+blur"] = Answer(1, 1)
    repaired = Restorer(Wide(), late).restore(Picture(pixels=scene(64, 80) * np.float32(0.5))).treatment.repaired
    assert [kind for kind, _ in repaired] == ["haze", "rain"]  # no room for two


def test_what_a_repair_leaves_behind_is_not_repaired(scene: Scene) -> None:
    class Seeing(Ordered):
        def name(self, contexts: Pixels, labels: tuple[str, ...], signs: Mapping[str, float]) -> Found:
            return Found(label="haze" if contexts[0, 0] < 0.5 else "snow")

        def likely(self, finding: Found) -> tuple[str, ...]:
            return (finding.label,)

        def candidates(self, finding: Found, done: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(kind for kind in (finding.label,) if kind not in done)

    judge = Seeing({"haze": Answer(1, 1), "snow": Answer(1, 1)})
    dark = scene(64, 80) * np.float32(0.1) + np.float32(0.41)  # 0.1 more, and it is taken for snowy
    assert Restorer(Shift(), judge).restore(Picture(pixels=dark)).treatment.repaired == (("haze", 1),)


def test_what_was_likely_at_first_is_repaired_once_it_is_sure(scene: Scene) -> None:
    class Clearing(Ordered):
        def likely(self, finding: Found) -> tuple[str, ...]:
            return ("haze", "snow")

        def candidates(self, finding: Found, done: tuple[str, ...]) -> tuple[str, ...]:
            return ("snow", "rain") if done == ("haze",) else () if done else ("haze",)

    judge = Clearing({"haze": Answer(1, 1), "snow": Answer(1, 1)})
    treatment = Restorer(Shift(), judge).restore(Picture(pixels=scene(64, 80))).treatment
    assert treatment.repaired == (("haze", 1), ("snow", 1))  # the rain is a trace of a repair


def test_what_is_not_sure_enough_to_be_tried_is_said(scene: Scene) -> None:
    judge = Ordered({"haze": Answer(0, 0, "haze: might do harm")}, doubtful=("rain streaks: not sure enough",))
    treatment = Restorer(Shift(), judge).restore(Picture(pixels=scene(64, 80))).treatment
    assert treatment.reason == "rain streaks: not sure enough; haze: might do harm"


def test_what_does_harm_is_left_and_why(scene: Scene) -> None:
    judge = Ordered({"haze": Answer(0, 0, "haze: might do harm")})
    picture = Picture(pixels=scene(64, 80))
    restored = Restorer(Shift(), judge).restore(picture)
    assert not restored.changed
    assert restored.picture is picture
    assert restored.treatment.reason == "haze: might do harm"


def test_half_a_repair_is_mixed_in_linear_light(scene: Scene) -> None:
    judge = Ordered({"haze": Answer(0.5, 1, "by half")})
    picture = Picture(pixels=scene(300, 280) * np.float32(0.5))
    restored = Restorer(Shift(), judge).restore(picture)
    half = blended(picture.pixels, picture.pixels + np.float32(0.1), 0.5)
    np.testing.assert_allclose(restored.picture.pixels, half, atol=1e-5)
    assert restored.treatment.reason == "by half"


def test_unchecked_nothing_is_tried(scene: Scene) -> None:
    judge, backend = Ordered({"snow": Answer(0, 0)}, checks=False), Shift()
    picture = Picture(pixels=scene(64, 80) * np.float32(0.5))
    restored = Restorer(backend, judge).restore(picture)
    np.testing.assert_allclose(restored.picture.pixels, picture.pixels + 0.2, atol=1e-6)
    assert judge.trials == []
    assert backend.runs == 2  # to look, and to repair


def test_unchecked_all_that_is_asked_for_is_repaired_one_after_the_other(scene: Scene) -> None:
    picture = Picture(pixels=scene(64, 80) * np.float32(0.5))
    kinds = ("snow", "haze", "rain", "blur")  # more than are tried where they are checked
    judge = Ordered(dict.fromkeys(kinds, Answer(0, 0)), checks=False)
    treatment = Restorer(Wide(), judge).restore(picture).treatment
    assert treatment.repaired == tuple((kind, 1) for kind in kinds)
    judge = Ordered(dict.fromkeys(kinds[:2], Answer(0, 0)), checks=False)
    restored = Restorer(Shift(), judge).restore(picture)
    np.testing.assert_allclose(restored.picture.pixels, picture.pixels + 0.3, atol=1e-6)
    first, second = (step.context[0] for step in restored.treatment.steps)
    assert second - first == pytest.approx(0.2)  # the second is told of the picture as the first leaves it
    assert judge.trials == []
    assert restored.treatment.left == ()
    few = Ordered({"snow": Answer(0, 0), "haze+snow": Answer(0, 0)}, checks=False)  # what is likely and not asked for
    assert Restorer(Shift(), few).restore(picture).treatment.left == ("haze+snow",)


def test_what_is_left_is_known(scene: Scene) -> None:
    judge = Ordered({"haze": Answer(0.5, 1, "by half"), "snow": Answer(1, 2), "rain": Answer(0, 0, "might do harm")})
    restored = Restorer(Wide(), judge).restore(Picture(pixels=scene(64, 80) * np.float32(0.5)))
    assert restored.treatment.repaired == (("snow", 1), ("haze", 0.5))
    assert restored.treatment.left == ("haze", "rain")


def test_what_is_too_small_to_judge_is_left_alone(scene: Scene) -> None:
    backend = Shift()
    restored = Restorer(backend, Ordered({"haze": Answer(1, 1)})).restore(Picture(pixels=scene(12, 80)))
    assert not restored.changed
    assert restored.diagnosis.label == "unknown"
    assert backend.runs == 0


def test_few_samples_of_a_large_picture_are_tried(scene: Scene) -> None:
    judge = Ordered({"haze": Answer(0, 0)})
    Restorer(Shift(), judge).restore(Picture(pixels=scene(900, 900)))
    (trial,) = judge.trials
    assert len(trial.parts) == 4
    assert trial.before.shape == trial.after.shape == (4, 4)


def test_a_shot_is_decided_by_all_its_frames(scene: Scene) -> None:
    restorer = Restorer(Shift(), Ordered({"haze": Answer(1, 1)}))
    looks = [restorer.look(Picture(pixels=scene(300, 80) * np.float32(s))) for s in (0.5, 0.25)]
    whole = together(looks)
    assert len(whole.parts) == len(whole.contexts) == 4
    treatment = restorer.decide(whole)
    picture = Picture(pixels=scene(64, 64) * np.float32(0.5))
    np.testing.assert_allclose(
        restorer.restore(picture, treatment=treatment).picture.pixels, picture.pixels + 0.1, atol=1e-6
    )


def test_steering_names_one_kind_and_leaves_the_means() -> None:
    context = np.array([0.3, 1, 2, 0], np.float32)
    np.testing.assert_array_equal(steered(context, LABELS, "snow"), np.array([0.3, 0, 0, 6], np.float32))
    assert surely(np.array([0, 0, 9, 0], np.float32), LABELS, "haze")
    assert not surely(np.array([0, 2, 3, 2], np.float32), LABELS, "haze")


def test_a_map_says_where(scene: Scene) -> None:
    pixels = np.concatenate([np.full((3, 200, 300), 0.9), np.full((3, 200, 300), 0.1)], axis=2).astype(np.float32)
    found = locate(Restorer(Shift(), Ordered({})), Held(Picture(pixels=pixels)))
    assert found.shares.shape == (1, 2, 6)
    share = found.of("haze")
    assert share.shape == (200, 600)
    assert share[:, :250].min() == 1
    assert share[:, 350:].max() == 0
    assert (np.diff(share[100]) <= 0).all()  # with soft edges
    np.testing.assert_array_equal(found.of("haze", 50, 20), share[50:70])
    weights = found.weights(("haze",), 0, 200)
    assert weights.min() == 0
    assert weights.max() == 1
    assert legend(found) == {"haze": "#ff4040"}
    drawn = draw_map(pixels, found)
    assert drawn.shape == pixels.shape
    assert np.ptp(drawn[:, 100, 10]) > 0.3  # coloured
    assert np.ptp(drawn[:, 100, 590]) == pytest.approx(0, abs=1e-6)


def test_large_pictures_have_larger_cells(scene: Scene) -> None:
    backend = Shift()
    found = locate(Restorer(backend, Ordered({})), Held(Picture(pixels=np.zeros((3, 3000, 4000), np.float32))))
    assert 200 < found.shares[0].size <= 280
    assert backend.runs == found.shares[0].size
