"""A calibration that is easily reasoned about."""

from collections.abc import Callable

import numpy as np
import pytest

from undegrade.diagnosis.evidence import NUM_EVIDENCE
from undegrade.diagnosis.head import FORMER_STRENGTHS, QUANTILES, Head, Numbers
from undegrade.diagnosis.severity import LEVELS, Scale

EMBEDDING, LABELS = 4, 3


@pytest.fixture
def head() -> Head:
    """Of two kinds; familiar are embeddings along the first axis, and every repair is worth what `gain`'s bias says."""
    kinds = ("noise", "haze")
    num_clues = NUM_EVIDENCE + 2 + 2 * (EMBEDDING + 2 + LABELS + 1 + len(LEVELS))
    return Head(
        kinds=kinds,
        knows_ways=True,
        demanded_in_turn=0.0,
        families=("noise", "weather"),
        scales=(Scale(field="sigma", unit="levels", low=0, high=50), Scale()),
        model="made-up",
        num_context=EMBEDDING + 2 + 2 * len(LEVELS) + LABELS,
        num_labels=LABELS,
        num_embedding=EMBEDDING,
        slope=np.array([2, 1], np.float32),
        shift=np.array([0, -1], np.float32),
        middle=np.zeros(EMBEDDING, np.float32),
        width=np.ones(EMBEDDING, np.float32),
        bases=np.array([[1, 0, 0, 0], [0.8, 0.6, 0, 0], [0.8, 0, 0.6, 0]], np.float32),
        familiar=np.array([[1, 0, 0, 0]] * 20, np.float32),
        strangest=0.1,
        centre=np.zeros(num_clues, np.float32),
        spread=np.ones(num_clues, np.float32),
        needed=np.array([0.5, 0.8], np.float32),
        cautious=np.array([0.1, 0.25], np.float32),
        demanded=np.array([[0, 0], [0.9, 0.4]], np.float32),
        faint=np.zeros(2, np.float32),
        demanded_faint=np.zeros(2, np.float32),
        strengths=FORMER_STRENGTHS,
        gain=(
            *(np.zeros((5, num_clues), np.float32), np.zeros(5, np.float32)),
            *(np.zeros((5, 5), np.float32), np.zeros(5, np.float32)),
            *(
                np.zeros((len(FORMER_STRENGTHS) * len(QUANTILES), 5), np.float32),
                np.array([1, 2, 3, 0.5, 1, 2], np.float32),
            ),
        ),
    )


@pytest.fixture
def context() -> Callable[..., Numbers]:
    """A context that says so: logits of noise and haze, their levels, and how far off the familiar it is."""

    def make(noise: float, haze: float, levels: tuple[float, float] = (0.5, 0.5), off: float = 0.0) -> Numbers:
        embedding = [1.0, off, 0.0, 0.0]
        grades = [8.0 * (abs(LEVELS - level) < 0.01) for level in levels]
        return np.concatenate([embedding, [noise, haze], *grades, [0.0, 0.0, 0.0]]).astype(np.float32)

    return make
