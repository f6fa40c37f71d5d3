"""How much of what a model can do is left on small pictures and at severe levels, in one number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

Numbers = NDArray[np.float64]

STEEPNESS = 200.0  # alpha: from a tenth above chance on, an accuracy counts almost wholly
TRIES = 500  # weights that are tried


def relative_robustness(accuracy: Numbers, chance: float | Numbers) -> Numbers:
    """What is left of each accuracy, little where there never was any.

    G = A_n / A_0 * (1 - exp(-alpha * (A_0 - A_chance)**2)), alpha = 200: the improved relative robustness of LR0.FM
    ("Low-Res Benchmark and Improving Robustness for Zero-Shot Classification in Foundation Models", ICLR 2025). Without
    the second factor, who guesses at full resolution as well as at a low one would be perfectly robust.

    Args:
        accuracy: (..., D, L) in [0, 1], of D kinds at L resolutions or levels, the easiest first.
        chance: accuracy of guessing, of each kind or of all.

    Returns:
        (..., D, L).
    """
    best = accuracy[..., :1]
    above = np.maximum(0, best - np.asarray(chance, dtype=np.float64)[..., None])
    share: Numbers = np.divide(accuracy, best, out=np.zeros_like(accuracy), where=best > 0)
    return share * (1 - np.exp(-STEEPNESS * above**2))


def weighted_robustness(accuracy: Numbers, chance: float | Numbers) -> tuple[Numbers, Numbers]:
    """LR0.FM's weighted aggregated robustness: WAR_n = sum_d w_d G_dn / sum_d w_d.

    Plain means follow the kinds on which models differ most. The weights w in [0, 1] are those, of `TRIES` drawn from
    seed 0 and equal ones, by which the order of the models agrees best with their order on each kind, in the mean over
    kinds and levels (Spearman). With fewer than three models there is no order to speak of, and they are equal.

    Args:
        accuracy: (M, D, L), of M models.
        chance: as for `relative_robustness`.

    Returns:
        (M, L), and the weights (D,).
    """
    left = relative_robustness(accuracy, chance)
    models, kinds, _ = left.shape
    weights = np.ones(kinds)
    if models >= 3:
        tried = np.concatenate([weights[None], np.random.default_rng(0).random((TRIES, kinds))])
        weights = max(tried, key=lambda given: _agreement(left, given))
    return np.einsum("mdl,d->ml", left, weights / weights.sum()), weights


def _agreement(left: Numbers, weights: Numbers) -> float:
    """Mean rank correlation of the models by the weighted mean and by each kind; levels without an order count 0."""
    together = np.einsum("mdl,d->ml", left, weights / weights.sum())
    found = []
    for level in range(left.shape[2]):
        for kind in range(left.shape[1]):
            one, other = together[:, level], left[:, kind, level]
            constant = np.ptp(one) == 0 or np.ptp(other) == 0
            found.append(0.0 if constant else float(spearmanr(one, other).statistic))
    return float(np.mean(found))
