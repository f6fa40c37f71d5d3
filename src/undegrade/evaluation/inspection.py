"""What a network is made of, what it costs, how far it sees, and whether its weights are used."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

REPEATS = 5  # of the timed pass
SPARSE = 1e-2  # of a layer's largest coefficient: a filter that is smaller everywhere counts as empty
ENERGY = 0.95  # of the gradient, within the field that is seen
DRAWS = 8  # banks of random filters, which the entropy is compared with
FEW = 30  # filters of a bank, below which nothing is said of it


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The 3 x 3 filters of a layer, after the CNN Filter DB (Gavrikov and Keuper, CVPR 2022).

    Args:
        count: one for each pair of an input and an output channel.
        sparsity: share of the filters none of whose coefficients reaches `SPARSE` of the layer's largest one.
        entropy: -sum p_i log10 p_i over the shares p_i of the variance along the 9 principal directions; 0: all filters
            are multiples of one, log10 9 = 0.954: as varied as can be.
        random: entropy of as many filters drawn from a normal distribution, the mean of `DRAWS` banks.
        degenerate: most filters are empty, or they are no more ordered than random ones, or all are alike; None where
            there are too few to tell.
    """

    count: int
    sparsity: float
    entropy: float
    random: float
    degenerate: bool | None


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer with weights.

    Args:
        name: in the network.
        kind: its class.
        shape: of the weight.
        parameters: of weight and bias.
        seconds: of one pass, the median.
        rank: effective rank of the weight as a matrix of outputs: exp of the entropy of the singular values over their
            sum (Roy and Vetterli, 2007); None for a vector.
        most: the highest rank that such a matrix can have.
        filters: of a convolution of 3 x 3 pixels.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    seconds: float
    rank: float | None
    most: int
    filters: Filters | None


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """Of a whole network.

    Args:
        name: of the model.
        side: of the picture that the figures of cost are of, pixels.
        parameters: of all layers.
        multiplications: with an addition each, for one picture.
        seconds: of one pass, the median; float32, as many threads as PyTorch takes.
        threads: that it took.
        field: half the side, in pixels, of the square about a pixel that holds `ENERGY` of the squared gradient of what
            is drawn there, for a random picture.
        whole: the network also takes statistics of the whole picture.
        layers: in the order in which they are registered.
    """

    name: str
    side: int
    parameters: int
    multiplications: int
    seconds: float
    threads: int
    field: int
    whole: bool
    layers: tuple[Layer, ...]

    @property
    def degenerate(self) -> float | None:
        """Share of the 3 x 3 filters that stand in degenerate layers; None without such layers."""
        known = [layer.filters for layer in self.layers if layer.filters and layer.filters.degenerate is not None]
        count = sum(filters.count for filters in known)
        return sum(filters.count for filters in known if filters.degenerate) / count if count else None


def inspect(model: nn.Module, name: str, *, side: int = 256, whole: bool = False) -> Inspection:
    """Inspect a network that takes (1, 3, side, side); what it draws is its answer, or the first part of it.

    Args:
        model: on the CPU.
        name: of it.
        side: of the picture, pixels.
        whole: it takes statistics of the whole picture.
    """
    model = model.eval()
    picture = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(picture)
    times, passes = _times(model, picture)
    return Inspection(
        name=name,
        side=side,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        multiplications=counter.get_total_flops() // 2,
        seconds=passes,
        threads=torch.get_num_threads(),
        field=seen_field(model, picture),
        whole=whole,
        layers=tuple(
            _layer(label, part, times.get(label, 0.0))
            for label, part in model.named_modules()
            if isinstance(getattr(part, "weight", None), nn.Parameter)
        ),
    )


def _layer(name: str, part: nn.Module, seconds: float) -> Layer:
    weight = part.weight
    assert isinstance(weight, Tensor)
    matrix = weight.detach().flatten(1) if weight.ndim > 1 else None
    small = isinstance(part, nn.Conv2d) and weight.shape[2:] == (3, 3)
    return Layer(
        name=name,
        kind=type(part).__name__,
        shape=tuple(weight.shape),
        parameters=sum(parameter.numel() for parameter in part.parameters(recurse=False)),
        seconds=seconds,
        rank=None if matrix is None else effective_rank(matrix),
        most=0 if matrix is None else min(matrix.shape),
        filters=filters_of(weight.detach()) if small else None,
    )


def effective_rank(matrix: Tensor) -> float:
    """exp(-sum p_i log p_i), p_i = s_i / sum s, of the singular values s; 0 for a matrix of zeros.

    >>> round(effective_rank(torch.eye(4)), 3)
    4.0
    """
    values = torch.linalg.svdvals(matrix.double())
    shares = (values / values.sum())[values > 0] if values.sum() > 0 else values[:0]
    return float(torch.exp(-(shares * shares.log()).sum())) if len(shares) else 0.0


def filters_of(weight: Tensor) -> Filters:
    """What the filters (O, I, 3, 3) of a layer are like."""
    bank = weight.reshape(-1, 9).double().numpy()
    largest = np.abs(bank).max()
    sparsity = float((np.abs(bank).max(1) <= SPARSE * largest).mean()) if largest else 1.0
    rng = np.random.default_rng(0)
    random = float(np.mean([variance_entropy(rng.normal(size=bank.shape)) for _ in range(DRAWS)]))
    entropy = variance_entropy(bank)
    poor = sparsity > 0.5 or entropy >= random or entropy < 0.1 * np.log10(9)
    return Filters(
        count=len(bank),
        sparsity=sparsity,
        entropy=entropy,
        random=random,
        degenerate=bool(poor) if len(bank) >= FEW else None,
    )


def variance_entropy(bank: NDArray[np.float64]) -> float:
    """Of N filters (N, 9): -sum p_i log10 p_i over the shares of the variance along their principal directions."""
    values = np.linalg.svd(bank - bank.mean(0), compute_uv=False) ** 2
    if values.sum() <= 1e-20:
        return 0.0
    shares = values / values.sum()
    shares = shares[shares > 1e-12]
    return abs(float(-(shares * np.log10(shares)).sum()))


def seen_field(model: nn.Module, picture: Tensor) -> int:
    """Half the side of the square that holds `ENERGY` of the squared gradient of the middle of what is drawn."""
    given = picture.clone().requires_grad_()
    answer = model(given)
    drawn = answer[0] if isinstance(answer, tuple) else answer
    row, column = drawn.shape[2] // 2, drawn.shape[3] // 2
    drawn[0, :, row, column].sum().backward()
    assert given.grad is not None
    power = given.grad[0].double().square().sum(0)
    total, half = float(power.sum()), 0
    while half < max(power.shape):
        square = power[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1]
        if float(square.sum()) >= ENERGY * total:
            break
        half += 1
    return half


@torch.no_grad()
def _times(model: nn.Module, picture: Tensor) -> tuple[dict[str, float], float]:
    """Seconds of each layer without parts, and of the whole; medians."""
    began: dict[str, float] = {}
    found: dict[str, list[float]] = {}
    hooks = []
    for name, part in model.named_modules():
        if list(part.children()):
            continue

        def start(part: nn.Module, given: object, name: str = name) -> None:
            began[name] = time.perf_counter()

        def stop(part: nn.Module, given: object, made: object, name: str = name) -> None:
            found.setdefault(name, []).append(time.perf_counter() - began[name])

        hooks += [part.register_forward_pre_hook(start), part.register_forward_hook(stop)]
    passes = []
    for _ in range(REPEATS + 1):
        before = time.perf_counter()
        model(picture)
        passes.append(time.perf_counter() - before)
    for hook in hooks:
        hook.remove()
    # A layer may be used several times in a pass; the first pass warms up.
    of_layer = {
        name: statistics.median(
            sum(times[i : i + len(times) // (REPEATS + 1)]) for i in range(0, len(times), len(times) // (REPEATS + 1))
        )
        for name, times in found.items()
    }
    return of_layer, statistics.median(passes[1:])
