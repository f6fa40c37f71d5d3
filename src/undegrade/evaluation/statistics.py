"""Means with their doubt, and whether one model is better than another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undegrade.batch import CLEAN
from undegrade.evaluation.run import INPUT, Score

RESAMPLES = 2000
CONFIDENCE = 0.95
MEAN = "mean"  # the row over all others but that of clean pictures


@dataclass(frozen=True, kw_only=True)
class Row:
    """Means of a model over the pictures of one row.

    Args:
        model: its name.
        row: of the table.
        pictures: that were measured.
        failed: that could not be.
        values: mean of each metric.
        low: lower end of each mean's confidence interval.
        high: its upper end.
        gain: mean PSNR over that of the degraded pictures, dB.
        worse: share of the pictures whose PSNR is lower than that of the degraded ones.
        named: share of which the model said rightly what is wrong; None where it or nobody says.
        seconds: median of a picture.
    """

    model: str
    row: str
    pictures: int
    failed: int
    values: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    gain: float
    worse: float
    named: float | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Of two models, picture by picture.

    Args:
        first: a model.
        second: another.
        metric: compared.
        pictures: that both have.
        difference: first minus second, mean over the pictures.
        low: lower end of its confidence interval.
        high: upper end.
        p: of Wilcoxon's signed-rank test, two-sided: how likely so uneven differences are if neither is better.
    """

    first: str
    second: str
    metric: str
    pictures: int
    difference: float
    low: float
    high: float
    p: float


def summarise(scores: Sequence[Score], metrics: Sequence[str]) -> list[Row]:
    """A row for each model and each row of the suite, in their order, and one of means where there are several.

    Intervals are percentiles of means over pictures drawn with replacement (bootstrap, Efron 1979), 2,000 times, from
    seed 0. In the row of means a picture counts once, by its mean over the rows.
    """
    before = {score.key[1:]: score for score in scores if score.model == INPUT}
    parts: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for score in scores:
        parts[score.model, score.row].append(score)
        if score.row != CLEAN:
            parts[score.model, MEAN].append(score)
    several = len({row for _, row in parts} - {CLEAN, MEAN}) > 1
    order = sorted(parts, key=lambda key: key[1] == MEAN)  # stable: means come last
    return [_row(key, parts[key], before, metrics) for key in order if key[1] != MEAN or several]


def _row(
    key: tuple[str, str], scores: Sequence[Score], before: dict[tuple[str, str], Score], metrics: Sequence[str]
) -> Row:
    well = [score for score in scores if not score.error]
    gains = [
        score.values["psnr"] - before[score.key[1:]].values["psnr"]
        for score in well
        if "psnr" in score.values and score.key[1:] in before and not before[score.key[1:]].error
    ]
    hits = [score.named == score.kind for score in well if score.named is not None and score.kind is not None]
    intervals = {name: interval(_by_picture(well, name)) for name in metrics} if well else {}
    return Row(
        model=key[0],
        row=key[1],
        pictures=len(well),
        failed=len(scores) - len(well),
        values={name: ends[0] for name, ends in intervals.items()},
        low={name: ends[1] for name, ends in intervals.items()},
        high={name: ends[2] for name, ends in intervals.items()},
        gain=float(np.mean(gains)) if gains else 0.0,
        worse=float(np.mean(np.array(gains) < 0)) if gains else 0.0,
        named=float(np.mean(hits)) if hits else None,
        seconds=float(np.median([score.seconds for score in well])) if well else 0.0,
    )


def _by_picture(scores: Sequence[Score], metric: str) -> NDArray[np.float64]:
    """A picture's mean over its rows, (N,)."""
    values: dict[str, list[float]] = defaultdict(list)
    for score in scores:
        values[score.picture].append(score.values[metric])
    return np.array([np.mean(of_one) for of_one in values.values()])


def interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """The mean of (N,) and the ends of its confidence interval by bootstrap.

    >>> interval(np.array([3.0, 3.0]))
    (3.0, 3.0, 3.0)
    """
    chosen = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    ends = np.percentile(values[chosen].mean(1), [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return float(values.mean()), float(ends[0]), float(ends[1])


def compare(scores: Sequence[Score], first: str, second: str, metric: str) -> Comparison | None:
    """Two models on the pictures that both have, those of the row of clean ones left out; None where there are none."""
    from scipy.stats import wilcoxon

    def of(model: str) -> dict[tuple[str, str], Score]:
        return {s.key[1:]: s for s in scores if s.model == model and not s.error and s.row != CLEAN}

    one, other = of(first), of(second)
    differences: dict[str, list[float]] = defaultdict(list)
    for key, score in one.items():
        if key in other:
            differences[key[1]].append(score.values[metric] - other[key].values[metric])
    if not differences:
        return None
    means = np.array([np.mean(of_one) for of_one in differences.values()])
    mean, low, high = interval(means)
    return Comparison(
        first=first,
        second=second,
        metric=metric,
        pictures=len(means),
        difference=mean,
        low=low,
        high=high,
        p=float(wilcoxon(means).pvalue) if np.any(means) else 1.0,
    )
