"""What each model changed, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from undegrade.batch import CLEAN
from undegrade.evaluation.report import Run
from undegrade.evaluation.run import INPUT, Score

METRIC = "psnr"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One picture by one model.

    Args:
        score: of the restored picture.
        before: PSNR of the degraded one, dB.
        after: PSNR of the restored one, dB.
    """

    score: Score
    before: float
    after: float

    @property
    def gain(self) -> float:
        """PSNR after over that before, dB."""
        return self.after - self.before


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Pictures of a model.

    Args:
        worst: the lowest gain first.
        middle: about the median.
        best: the highest gain first.
    """

    worst: tuple[Change, ...]
    middle: tuple[Change, ...]
    best: tuple[Change, ...]


def changes(run: Run, model: str, *, clean: bool = False) -> list[Change]:
    """What a model did to each degraded picture, the lowest gain first; `clean`: to those that were well, instead."""
    before = {score.key[1:]: score for score in run.scores if score.model == INPUT and not score.error}
    found = [
        Change(score=score, before=before[score.key[1:]].values[METRIC], after=score.values[METRIC])
        for score in run.scores
        if score.model == model
        and not score.error
        and (score.row == CLEAN) == clean
        and score.key[1:] in before
        and METRIC in score.values
    ]
    return sorted(found, key=lambda change: (change.gain, change.score.key))


def examples(found: Sequence[Change], count: int) -> Examples:
    """The worst, the middle and the best so many of changes in order; none twice."""
    worst, rest = found[:count], found[count:]
    best = rest[max(0, len(rest) - count) :]
    rest = rest[: len(rest) - len(best)]
    first = max(0, (len(rest) - count) // 2)
    return Examples(worst=tuple(worst), middle=tuple(rest[first : first + count]), best=tuple(reversed(best)))
