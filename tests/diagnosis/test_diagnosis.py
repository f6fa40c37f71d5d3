import numpy as np
import pytest

from undegrade.batch import CLEAN
from undegrade.degradations import DEGRADATIONS
from undegrade.diagnosis import name
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
    assert set(PHRASES) == {CLEAN, *DEGRADATIONS}


def test_a_label_of_ones_own_is_its_own_phrase() -> None:
    assert name(np.array([0.1, 0.9]), ("clean", "lens_flare")).sentence == "lens flare"


@pytest.mark.parametrize("bad", [[0.5, 0.5], [0.5, 0.5, 0.5], [1.5, -0.5, 0], [float("nan"), 0, 1]])
def test_what_are_no_probabilities_is_refused(bad: list[float]) -> None:
    with pytest.raises(UndegradeError, match="probabilities: "):
        name(np.array(bad), LABELS)
