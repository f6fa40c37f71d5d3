"""What a tile must know of the whole picture: the means that a network takes over all pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch.nn.functional as F
from torch import Tensor, nn


class LocalMean(nn.Module):
    """Mean over the whole map, or over a box around each pixel (TLC).

    Args:
        channels: of the map.
        kernel: side of the box in pixels of this map; 0 means the whole map.

    Attributes:
        exchange: what a mean over the whole map is exchanged for where the map is a part of a picture.
    """

    def __init__(self, channels: int, kernel: int = 0) -> None:
        super().__init__()
        self.channels, self.kernel = channels, kernel
        self.exchange: Callable[[Tensor], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 1, 1), or (B, C, H, W) where the box is smaller than the map."""
        height, width = x.shape[-2:]
        if not self.kernel:
            mean = x.mean((2, 3), keepdim=True)
            return self.exchange(mean) if self.exchange else mean
        if self.kernel >= height and self.kernel >= width:
            return x.mean((2, 3), keepdim=True)
        k1, k2 = min(height, self.kernel), min(width, self.kernel)
        # The integral image with a border of zeros gives each valid box from four corners; sums need float32.
        total = F.pad(x.float().cumsum(3).cumsum(2), (1, 0, 1, 0))
        box = total[..., k1:, k2:] - total[..., :-k1, k2:] - total[..., k1:, :-k2] + total[..., :-k1, :-k2]
        down, right = height - box.shape[2], width - box.shape[3]
        edges = (right // 2, (right + 1) // 2, down // 2, (down + 1) // 2)
        return F.pad(box / (k1 * k2), edges, mode="replicate").to(x.dtype)


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
