import numpy as np
import pytest

from undegrade.batch import CLEAN
from undegrade.degradations import DEGRADATIONS
from undegrade.diagnosis import UNKNOWN, name, name_all
from undegrade.diagnosis.diagnosis import PHRASES
from undegrade.errors import UndegradeError

LABELS = ("clean", "rain", "haze")


@pytest.mark.parametrize(
    ("probabilities", "sentence"),
    [
        ([0.05, 0.9, 0.05], "rain streaks"),
        ([0.2, 0.6, 0.2], "likely rain streaks"),
        ([0.3, 0.4, 0.3], "perhaps rain streaks"),
        ([0.9, 0.05, 0.05], "nothing wrong that I know of: left alone"),
        ([0.6, 0.2, 0.2], "likely nothing wrong that I know of: left alone"),
    ],
)
def test_the_sentence_is_as_sure_as_the_model(probabilities: list[float], sentence: str) -> None:
    assert name(np.array(probabilities), LABELS).sentence == sentence


def test_probabilities_are_ranked() -> None:
    found = name(np.float32([0.2, 0.1, 0.7]), LABELS)
    assert list(found.probabilities) == ["haze", "clean", "rain"]
    assert found.label == "haze"
    assert found.probability == found.probabilities["haze"] == pytest.approx(0.7)


def test_only_clean_is_healthy() -> None:
    assert name(np.array([0.4, 0.3, 0.3]), LABELS).healthy
    assert not name(np.array([0.3, 0.4, 0.3]), LABELS).healthy


def test_every_degradation_has_a_phrase() -> None:
    assert set(PHRASES) == {CLEAN, UNKNOWN, *DEGRADATIONS}


def test_a_label_of_ones_own_is_its_own_phrase() -> None:
    assert name(np.array([0.1, 0.9]), ("clean", "lens_flare")).sentence == "lens flare"


@pytest.mark.parametrize("bad", [[0.5, 0.5], [0.5, 0.5, 0.5], [1.5, -0.5, 0], [float("nan"), 0, 1]])
def test_what_are_no_probabilities_is_refused(bad: list[float]) -> None:
    with pytest.raises(UndegradeError, match="probabilities: "):
        name(np.array(bad), LABELS)


@pytest.mark.parametrize(
    ("probabilities", "sentence", "present"),
    [
        ([0.9, 0.95, 0.1], "haze and rain streaks", ("haze", "rain")),
        ([0.6, 0.1, 0.1], "likely rain streaks", ("rain",)),
        ([0.9, 0.95, 0.5], "haze, rain streaks and likely falling snow", ("haze", "rain", "snow")),
        ([0.4, 0.4, 0.49], "nothing wrong that I know of: left alone", ()),
    ],
)
def test_several_may_be_present(probabilities: list[float], sentence: str, present: tuple[str, ...]) -> None:
    found = name_all(np.array(probabilities), ("rain", "haze", "snow"))
    assert (found.sentence, found.present) == (sentence, present)
    assert found.healthy == (not present)
    assert found.label == (present[0] if present else CLEAN)


def test_without_any_the_probability_is_that_of_none() -> None:
    assert name_all(np.array([0.1, 0.2]), ("rain", "haze")).probability == pytest.approx(0.9 * 0.8)


@pytest.mark.parametrize("bad", [[0.5], [1.5, 0.5], [-0.5, 0], [float("nan"), 0]])
def test_several_that_are_no_probabilities_are_refused(bad: list[float]) -> None:
    with pytest.raises(UndegradeError, match="probabilities: "):
        name_all(np.array(bad), ("rain", "haze"))
