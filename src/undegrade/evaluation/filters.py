"""What the weights of a network are worth, without running it: 3 x 3 filters and effective ranks.

Papers: "CNN Filter DB: An Empirical Investigation of Trained Convolutional Filters", Gavrikov and Keuper, CVPR 2022;
"The Effective Rank: A Measure of Effective Dimensionality", Roy and Vetterli, EUSIPCO 2007.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

MAX_ENTROPY = math.log10(9)  # of nine axes that all count the same
SPARSE = 0.01  # a filter is sparse whose coefficients are all at most this share of the layer's largest
LOW_DIVERSITY = 0.5  # variance entropy below which the filters of a layer are too much alike; ours
RANDOM_CURVE = (1.26, 0.89, 2.30, -0.31)  # L, k, x0, b of `random_entropy`
NUM_JUDGED = 10  # filters that a layer must have: fewer cannot fill nine axes around their mean


@dataclass(frozen=True, kw_only=True)
class FilterLayer:
    """The 3 x 3 filters of one layer.

    Args:
        name: of the layer.
        num_filters: 3 x 3 slices of its weight.
        entropy: `variance_entropy` of them, 0 to log10(9) = 0.954.
        threshold: `random_entropy` of so many.
        num_sparse: filters that are sparse.
        verdict: "low diversity", "random", or "" for neither, and for fewer filters than `NUM_JUDGED`.
    """

    name: str
    num_filters: int
    entropy: float
    threshold: float
    num_sparse: int
    verdict: str

    @property
    def num_degenerate(self) -> int:
        """All filters of a layer with a verdict, else the sparse ones."""
        return self.num_filters if self.verdict else self.num_sparse


@dataclass(frozen=True, kw_only=True)
class Rank:
    """The effective rank of one matrix.

    Args:
        name: of the layer, or of the feature.
        rows: of the matrix.
        columns: of the matrix.
        rank: effective, 0 (all zeros) to `full`.
    """

    name: str
    rows: int
    columns: int
    rank: float

    @property
    def full(self) -> int:
        """The largest rank that the matrix can have."""
        return min(self.rows, self.columns)


def filter_layers(model: nn.Module) -> tuple[FilterLayer, ...]:
    """The 3 x 3 filters of each convolution that has them."""
    return tuple(
        judge_filters(name, module.weight.detach().reshape(-1, 9))
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.kernel_size == (3, 3)
    )


def judge_filters(name: str, filters: Tensor) -> FilterLayer:
    """What CNN Filter DB asks of a layer's filters.

    A filter is sparse where max |coefficient| <= 0.01 * max |coefficient of the layer|. A layer's entropy is random
    at or above `random_entropy`, and of low diversity below 0.5.

    Args:
        name: of the layer.
        filters: (N, 9).
    """
    count, peaks = len(filters), filters.abs().amax(1)
    entropy, threshold = variance_entropy(filters), random_entropy(count)
    verdict = ""
    if count >= NUM_JUDGED:
        verdict = "low diversity" if entropy < LOW_DIVERSITY else "random" if entropy >= threshold else ""
    return FilterLayer(
        name=name,
        num_filters=count,
        entropy=entropy,
        threshold=threshold,
        num_sparse=int((peaks <= SPARSE * peaks.max()).sum()),
        verdict=verdict,
    )


def variance_entropy(filters: Tensor) -> float:
    """H = -sum of p_i log10 p_i over the 9 principal axes of the filters (N, 9), p_i the variance share of axis i.

    0: all filters are multiples of one pattern, up to their mean; log10(9) = 0.954: all axes count the same.
    """
    centred = filters.double() - filters.double().mean(0)
    return _entropy(_spectrum(centred)) / math.log(10)


def random_entropy(num_filters: int) -> float:
    """T = L / (1 + exp(-k (log2 n - x0))) + b: about the least variance entropy of n filters of normal random numbers.

    The curve and its constants (1.26, 0.89, 2.30, -0.31) are the paper's; a test compares it with simulations.

    >>> round(random_entropy(1024), 3)
    0.949
    """
    height, slope, middle, base = RANDOM_CURVE
    return height / (1 + math.exp(-slope * (math.log2(num_filters) - middle))) + base


def effective_rank(matrix: Tensor) -> float:
    """exp(-sum of p_i ln p_i), p_i the singular values of a matrix (M, N) over their sum; 0 for a matrix of zeros."""
    spectrum = _spectrum(matrix.double()).sqrt()
    return math.exp(_entropy(spectrum)) if spectrum.any() else 0.0


def _spectrum(matrix: Tensor) -> Tensor:
    """The squared singular values; what rounding makes of zeros is zero."""
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    squares = torch.linalg.eigvalsh(small @ small.T)
    return squares * (squares > squares.max() * len(squares) * torch.finfo(squares.dtype).eps)


def _entropy(weights: Tensor) -> float:
    """-sum p ln p of the weights over their sum; 0 where all are 0."""
    shares = weights[weights > 0] / weights.sum()
    return abs(float((shares * shares.log()).sum()))


def weight_ranks(model: nn.Module) -> tuple[Rank, ...]:
    """Of each convolution and linear layer: its weight as a matrix, outputs x everything else."""
    kinds = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
    modules = ((name, module) for name, module in model.named_modules() if isinstance(module, kinds))
    return tuple(rank_of(name, module.weight.detach().flatten(1)) for name, module in modules)


def rank_of(name: str, matrix: Tensor) -> Rank:
    """The effective rank of a matrix (M, N), which may be all zeros."""
    return Rank(name=name, rows=matrix.shape[0], columns=matrix.shape[1], rank=effective_rank(matrix))
