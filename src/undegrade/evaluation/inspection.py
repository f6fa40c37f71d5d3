"""What is inside a model: its size, where its time goes, what its weights are worth, how far it sees."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from undegrade.evaluation.filters import FilterLayer, Rank, filter_layers, rank_of, weight_ranks
from undegrade.networks import RestorationNetwork, UniversalRestorer

REPEATS = 5  # timed passes, of which the median counts
ENERGY = 0.95  # share of the gradient's energy inside the effective receptive field
PICTURE_SEED = 20_261_123


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A module that has parameters of its own or no modules inside; numbers are without what lies inside.

    Args:
        name: in the model.
        kind: its class, with the kernel where it has one.
        parameters: how many.
        macs: multiply-adds in one pass.
        seconds: in one pass, median.
        share: of the seconds of the whole pass, 0 to 1.
    """

    name: str
    kind: str
    parameters: int
    macs: int
    seconds: float
    share: float


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What the middle pixel of the drawn picture depends on, in pixels of the given one.

    Args:
        half_width: r of the smallest square of 2 r + 1 pixels around it that holds `ENERGY` of the energy.
        support: side of the smallest such square outside of which the gradient is zero; 0 where it is zero everywhere.
        bounded: whether that square ends before the picture does; if not, `support` is the least it can be.
        within: share of the energy inside the squares of r = 0, 1, 2, ...
    """

    half_width: int
    support: int
    bounded: bool
    within: tuple[float, ...]

    @property
    def nearly_all(self) -> int:
        """r of the smallest square that holds 99.9 % of the energy."""
        return next(r for r, share in enumerate(self.within) if share > 0.999)


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """All that was found in one model.

    Args:
        model: its name.
        network: its class.
        side: of the picture that was run, pixels, before the network's padding.
        threads: that PyTorch computed with.
        parameters: how many.
        macs: multiply-adds in one pass, of convolutions and matrix products.
        seconds: of one pass, sum of the medians.
        elsewhere: of these, what no layer took: gates, additions, reshaping.
        global_statistics: whether the network takes means over the whole picture or the like.
        layers: in the model's order.
        filters: of the layers with 3 x 3 kernels.
        ranks: of the weights of convolutions and linear layers.
        features: of the decoder features, deepest first: channels x pixels, without each channel's mean.
        reach: the receptive field.
    """

    model: str
    network: str
    side: int
    threads: int
    parameters: int
    macs: int
    seconds: float
    elsewhere: float
    global_statistics: bool
    layers: tuple[Layer, ...]
    filters: tuple[FilterLayer, ...]
    ranks: tuple[Rank, ...]
    features: tuple[Rank, ...]
    reach: Reach

    @property
    def num_filters(self) -> int:
        """All 3 x 3 filters."""
        return sum(layer.num_filters for layer in self.filters)

    @property
    def sparse_share(self) -> float:
        """Of the 3 x 3 filters, 0 to 1; 0 where there are none."""
        return sum(layer.num_sparse for layer in self.filters) / max(1, self.num_filters)

    @property
    def degenerate_share(self) -> float:
        """Of the 3 x 3 filters, 0 to 1; 0 where there are none."""
        return sum(layer.num_degenerate for layer in self.filters) / max(1, self.num_filters)

    @property
    def mean_entropy(self) -> float:
        """Of the layers with 3 x 3 filters, each counting by its filters; 0 where there are none."""
        return sum(layer.entropy * layer.num_filters for layer in self.filters) / max(1, self.num_filters)

    @property
    def rank_share(self) -> float:
        """Mean over the weights of the effective rank by the largest possible, 0 to 1."""
        return statistics.fmean(r.rank / r.full for r in self.ranks) if self.ranks else 0.0

    @property
    def field(self) -> str:
        """How far the network sees at most, in words."""
        if self.global_statistics:
            return "whole picture"
        square = f"{self.reach.support} x {self.reach.support} pixels"
        return square if self.reach.bounded else f"at least {square}"


def inspect(name: str, model: UniversalRestorer, *, side: int = 256) -> Inspection:
    """Run the model on the CPU in float32 and look at its weights.

    Args:
        name: of the model.
        model: in evaluation mode; its memory order becomes channels-last.
        side: of the square picture, pixels.
    """
    model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = model.network
    image = sample_picture(network.in_channels, side).contiguous(memory_format=torch.channels_last)
    layers, elsewhere = measured_layers(model, image)
    return Inspection(
        model=name,
        network=type(network).__name__,
        side=side,
        threads=torch.get_num_threads(),
        parameters=sum(p.numel() for p in model.parameters()),
        macs=count_macs(model, image),
        seconds=sum(layer.seconds for layer in layers) + elsewhere,
        elsewhere=elsewhere,
        global_statistics=network.global_statistics,
        layers=layers,
        filters=filter_layers(model),
        ranks=weight_ranks(model),
        features=_feature_ranks(network, image),
        reach=reach_of(lambda given: _added(model, given), image),
    )


def sample_picture(channels: int, side: int) -> Tensor:
    """(1, channels, side, side) in [0, 1]: noise whose spectrum falls as 1 / frequency, as that of photographs does."""
    rng = torch.Generator().manual_seed(PICTURE_SEED)
    noise = torch.fft.rfft2(torch.randn(1, channels, side, side, generator=rng))
    frequency = torch.hypot(torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None])
    frequency[0, 0] = math.inf
    picture = torch.fft.irfft2(noise / frequency, s=(side, side))
    return (0.5 + 0.2 * picture / picture.std()).clamp(0, 1)


def _counter() -> FlopCounterMode:
    """PyTorch's counter, which does not know by itself what it takes for attention on the CPU."""
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return FlopCounterMode(display=False, custom_mapping={attention: _attention})


def _attention(
    query: torch.Size,
    key: torch.Size,
    value: torch.Size,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: object = None,
    scale: float | None = None,
    out_shape: object = None,
) -> int:
    """Operations of softmax(q k) v, from the shapes (B, heads, tokens, channels) and the operator's other arguments."""
    return int(sdpa_flop_count(query, key, value))


@torch.no_grad()
def count_macs(model: nn.Module, image: Tensor) -> int:
    """Multiply-adds of one pass: half of the operations that PyTorch counts in convolutions and matrix products."""
    counter = _counter()
    with counter:
        model(image)
    return counter.get_total_flops() // 2


@torch.no_grad()
def measured_layers(model: nn.Module, image: Tensor, *, repeats: int = REPEATS) -> tuple[tuple[Layer, ...], float]:
    """Each layer's multiply-adds and seconds, after one pass that does not count; and the seconds outside of layers."""
    counter = _counter()
    with counter, _exclusive(model, counter.get_total_flops) as flops:
        model(image)
    passes = []
    for _ in range(repeats):
        with _exclusive(model, time.perf_counter) as spent:
            model(image)
        passes.append(spent)
    seconds = {name: statistics.median(spent[name] for spent in passes) for name in flops}
    total = sum(seconds.values())
    layers = []
    for name, module in model.named_modules():
        parameters = sum(p.numel() for p in module.parameters(recurse=False))
        if parameters or not any(module.children()):
            layers.append(
                Layer(
                    name=name or type(module).__name__,
                    kind=_kind(module),
                    parameters=parameters,
                    macs=int(flops[name]) // 2,
                    seconds=seconds[name],
                    share=seconds.pop(name) / total,
                )
            )
    return tuple(layers), sum(seconds.values())


@contextmanager
def _exclusive(model: nn.Module, clock: Callable[[], float]) -> Iterator[dict[str, float]]:
    """While it lasts, what the clock runs on in each module and in no module inside it, by name."""
    own: dict[str, float] = {}
    running: list[list[float]] = []  # of the modules that are being computed: the clock at the start, and what is inner

    def enter(module: nn.Module, given: object) -> None:
        running.append([clock(), 0.0])

    def leave(name: str) -> Callable[[nn.Module, object, object], None]:
        def stop(module: nn.Module, given: object, result: object) -> None:
            start, inner = running.pop()
            whole = clock() - start
            own[name] += whole - inner
            if running:
                running[-1][1] += whole

        return stop

    handles = []
    for name, module in model.named_modules():
        own[name] = 0.0
        handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave(name))]
    try:
        yield own
    finally:
        for handle in handles:
            handle.remove()


def _kind(module: nn.Module) -> str:
    name = type(module).__name__
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return name
    grouped = " depthwise" if module.groups > 1 and module.groups == module.in_channels else ""
    return f"{name} {' x '.join(map(str, module.kernel_size))}{grouped}"


@torch.no_grad()
def _feature_ranks(network: RestorationNetwork, image: Tensor) -> tuple[Rank, ...]:
    maps = [feature[0].flatten(1) for feature in network.features(network.pad(image))]
    return tuple(rank_of(f"feature {number}", m - m.mean(1, keepdim=True)) for number, m in enumerate(maps))


def _added(model: UniversalRestorer, image: Tensor) -> Tensor:
    """What the model adds to the picture, or all it draws where that has another size."""
    picture: Tensor = model(image)[0]
    return picture - image if picture.shape == image.shape else picture


def reach_of(draw: Callable[[Tensor], Tensor], image: Tensor) -> Reach:
    """The receptive field of the middle pixel: squared gradients, summed over all pairs of channels.

    Args:
        draw: a picture (1, C, H, W) to one (1, D, H * scale, W * scale).
        image: the picture where the gradient is taken.
    """
    given = image.detach().clone().requires_grad_()
    drawn = draw(given)
    y, x = (size // 2 for size in drawn.shape[-2:])
    energy = torch.zeros(image.shape[-2:], dtype=torch.float64)
    for channel in range(drawn.shape[1]):
        (slope,) = torch.autograd.grad(drawn[0, channel, y, x], given, retain_graph=True)
        energy += slope[0].double().square().sum(0)
    height, width = energy.shape
    down, right = (torch.arange(size) - size // 2 for size in (height, width))
    radius = torch.maximum(down.abs()[:, None], right.abs()[None]).flatten()
    rings = torch.bincount(radius, energy.flatten())
    if not energy.any():
        return Reach(half_width=0, support=0, bounded=True, within=tuple(torch.ones(len(rings)).tolist()))
    within = (rings.cumsum(0) / rings.sum()).clamp(max=1)
    border = torch.cat([energy[0], energy[-1], energy[:, 0], energy[:, -1]])
    return Reach(
        half_width=int((within < ENERGY).sum()),
        support=2 * int(rings.nonzero().max()) + 1,
        bounded=not border.any(),
        within=tuple(within.tolist()),
    )
