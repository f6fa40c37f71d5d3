import numpy as np
import pytest

from undegrade.evaluation.robustness import relative_robustness, weighted_robustness


def test_what_is_left_of_a_good_accuracy() -> None:
    left = relative_robustness(np.array([[0.9, 0.45, 0.0]]), 0.1)
    np.testing.assert_allclose(left, [[1, 0.5, 0]], atol=1e-6)


def test_who_guesses_is_not_robust() -> None:
    left = relative_robustness(np.array([[0.1, 0.1], [0.15, 0.15]]), 0.1)
    assert left[0].tolist() == [0, 0]
    np.testing.assert_allclose(left[1], 1 - np.exp(-200 * 0.05**2))
    assert relative_robustness(np.zeros((1, 2)), 0.1).tolist() == [[0, 0]]


def test_a_model_that_is_good_only_at_mild_levels_shows_it() -> None:
    mild, even = np.array([0.99, 0.5, 0.1]), np.array([0.9, 0.85, 0.8])
    values, weights = weighted_robustness(np.stack([[mild] * 2, [even] * 2]), 0.1)
    assert weights.tolist() == [1, 1]
    assert (values[1, 1:] > values[0, 1:]).all()
    assert values[0, 2] == pytest.approx(0.1 / 0.99, abs=1e-6)


def test_a_kind_that_contradicts_all_others_weighs_less() -> None:
    good, rng = np.array([0.9, 0.7, 0.5, 0.3]), np.random.default_rng(0)
    alike = [np.stack([np.full(4, 0.9), good + rng.normal(0, 0.01, 4)], axis=-1) for _ in range(4)]
    contrary = np.stack([np.full(4, 0.9), np.array([0.0, 0.3, 0.6, 0.9])], axis=-1)
    accuracy = np.stack([*alike, contrary], axis=1)  # (4 models, 5 kinds, 2 levels)
    values, _ = weighted_robustness(accuracy, 0.1)
    assert (np.diff(values[:, 1]) < 0).all()  # by the order that most kinds agree on
    assert weighted_robustness(accuracy, 0.1)[0].tolist() == values.tolist()
