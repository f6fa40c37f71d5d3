"""How badly: levels from 0 to 1, and what they are in physical units.

Levels have distances: who takes level 0.3 for 0.4 is nearly right. So of a distribution over a few levels, the answer
is the point with the least expected squared distance, the Frechet mean, which may lie between them; as in
"Geometry-Aware Adaptation for Pretrained Models" (Loki, NeurIPS 2023), where it replaces the argmax.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]

LEVELS: Numbers = np.linspace(0, 1, 11, dtype=np.float32)  # those that a head tells apart
ANSWERS: Numbers = np.linspace(0, 1, 101, dtype=np.float32)  # those that may be the answer
SLIGHT, STRONG = 1 / 3, 2 / 3  # levels below and above which it is called so


def frechet_mean(probabilities: Numbers, levels: Numbers = LEVELS, answers: Numbers = ANSWERS) -> Numbers:
    """The answer m with the least sum_i p_i * d(m, level_i)^2, d the absolute difference.

    >>> round(float(frechet_mean(np.array([0.5, 0.5], np.float32), np.array([0.0, 1.0], np.float32))), 2)
    0.5

    Args:
        probabilities: (..., L), of each level.
        levels: (L,).
        answers: (A,), from which the answer is taken.

    Returns:
        (...).
    """
    costs = np.square(answers[:, None] - levels[None, :])  # (A, L)
    best: Numbers = answers[np.argmin(probabilities @ costs.T, axis=-1)]
    return best


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A degradation's first severity: what a level is in its unit.

    Args:
        field: its name; empty where the degradation has no severities.
        unit: in words.
        low: value of one end of the range.
        high: value of the other end.
        log: spaced by its logarithm.
        falling: a smaller value is a stronger degradation.
    """

    field: str = ""
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    falling: bool = False

    def value(self, level: float) -> float | None:
        """The severity at a level in [0, 1]; None where there is none.

        >>> Scale(field="quality", low=10, high=90, falling=True).value(0.25)
        70.0
        """
        if not self.field:
            return None
        place = 1 - level if self.falling else level
        if self.log:
            return math.exp(math.log(self.low) + (math.log(self.high) - math.log(self.low)) * place)
        return self.low + (self.high - self.low) * place

    def level(self, value: float) -> float:
        """The inverse of `value`; below 0 and above 1 beyond the range.

        >>> Scale(field="quality", low=10, high=90, falling=True).level(70)
        0.25
        """
        low, high, given = (math.log(one) if self.log else one for one in (self.low, self.high, value))
        place = (given - low) / (high - low)
        return 1 - place if self.falling else place


@dataclass(frozen=True, kw_only=True)
class Severity:
    """How badly a picture is degraded in one way.

    Args:
        level: in [0, 1], from the weakest that the model knows to the strongest.
        field: the severity's name in the catalogue ("sigma"); empty where it has none.
        value: in its unit; None where it has none.
        unit: in words.
    """

    level: float
    field: str
    value: float | None
    unit: str

    @property
    def adjective(self) -> str:
        """Slight, strong, or nothing between."""
        return "slight" if self.level < SLIGHT else "strong" if self.level > STRONG else ""


def severity_at(scale: Scale, level: float) -> Severity:
    """The severity that a level stands for."""
    return Severity(level=level, field=scale.field, value=scale.value(level), unit=scale.unit)
