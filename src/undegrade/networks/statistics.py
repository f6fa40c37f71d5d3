"""What a tile must know of the whole picture: the means that a network takes over all pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from undegrade.networks.nafnet import LocalMean


@contextmanager
def exchanged(network: nn.Module, given: Tensor, trust: Tensor) -> Iterator[list[Tensor]]:
    """While it lasts, each mean m over the whole map becomes m + trust * (g - m), g the given one.

    Not for several threads at once.

    Args:
        network: the means of its blocks are exchanged.
        given: (B, S), the means in the order in which they are computed, one behind the other.
        trust: (), 0 to compute as ever, 1 to take the given ones.

    Yields:
        The means that were computed, (B, C) each, in that order.
    """
    computed: list[Tensor] = []

    def exchange(mean: Tensor) -> Tensor:
        own = mean.flatten(1)
        start = sum(earlier.shape[1] for earlier in computed)
        computed.append(own)
        other = given[:, start : start + own.shape[1]].to(own.dtype)
        return (own + trust.to(own.dtype) * (other - own))[:, :, None, None]

    means = global_means(network)
    for mean in means:
        mean.exchange = exchange
    try:
        yield computed
    finally:
        for mean in means:
            mean.exchange = None


def global_means(network: nn.Module) -> list[LocalMean]:
    """The means of a network that are taken over the whole map."""
    return [module for module in network.modules() if isinstance(module, LocalMean) and not module.kernel]


def num_statistics(network: nn.Module) -> int:
    """How many numbers `exchanged` takes and gives."""
    return sum(mean.channels for mean in global_means(network))
