"""Batch norm over the batch of all training processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed.nn.functional as collective
from torch import Tensor, nn


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm whose mean and variance, in training, are those of the batches of all processes together.

    PyTorch's own (`SyncBatchNorm`) knows GPUs alone. Every process must have a batch of the same shape.

    Attributes:
        shared: whether there are several processes; see `shared_statistics`.
    """

    shared = False

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        if not (self.training and self.shared):
            return super().forward(input)
        x, processes = input.float(), torch.distributed.get_world_size()
        mean = collective.all_reduce(x.mean((0, 2, 3))) / processes
        centred = x - mean[:, None, None]
        variance = collective.all_reduce(centred.square().mean((0, 2, 3))) / processes
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            self.num_batches_tracked += 1
            share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            count = x.numel() / x.shape[1] * processes
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance * count / max(1, count - 1), share)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)


@contextmanager
def shared_statistics(module: nn.Module, several: bool) -> Iterator[None]:
    """While it lasts, the batch norms of the module take the statistics of all processes, if there are several."""
    norms = [norm for norm in module.modules() if isinstance(norm, SharedBatchNorm)]
    for norm in norms:
        norm.shared = several
    try:
        yield
    finally:
        for norm in norms:
            norm.shared = False
