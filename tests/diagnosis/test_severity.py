import numpy as np
import pytest

from undegrade.diagnosis.severity import ANSWERS, LEVELS, Scale, Severity, frechet_mean, severity_at
from undegrade.networks.universal import GRADES


def test_graders_have_the_levels() -> None:
    assert len(LEVELS) == GRADES


def test_the_frechet_mean_has_the_least_expected_squared_distance() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(len(LEVELS)), 50).astype(np.float32)
    found = frechet_mean(shares)
    for share, answer in zip(shares, found, strict=True):
        costs = [(share * (LEVELS - other) ** 2).sum() for other in ANSWERS]
        assert costs[int(np.argmin(costs))] == pytest.approx((share * (LEVELS - answer) ** 2).sum())
    # With squared distances on a line it is the expectation, to the nearest answer; the argmax is not.
    np.testing.assert_allclose(found, shares @ LEVELS, atol=0.006)


def test_it_takes_the_shape_of_what_it_is_given() -> None:
    assert frechet_mean(np.full((3, 4, len(LEVELS)), 1 / len(LEVELS), np.float32)).shape == (3, 4)


@pytest.mark.parametrize(
    ("scale", "level", "value"),
    [
        (Scale(field="sigma", low=0, high=50), 0.2, 10),
        (Scale(field="quality", low=10, high=90, falling=True), 1.0, 10),
        (Scale(field="gain", low=0.01, high=1, log=True), 0.5, 0.1),
        (Scale(), 0.7, None),
    ],
)
def test_a_level_in_its_unit(scale: Scale, level: float, value: float | None) -> None:
    found = severity_at(scale, level)
    assert found.level == level
    assert found.value == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(("level", "word"), [(0.1, "slight"), (0.5, ""), (0.9, "strong")])
def test_a_level_in_a_word(level: float, word: str) -> None:
    assert Severity(level=level, field="", value=None, unit="").adjective == word
