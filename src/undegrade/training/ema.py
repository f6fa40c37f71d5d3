"""A slowly moving average of the weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from undegrade.batch import Batch
from undegrade.networks import UniversalRestorer
from undegrade.training.loop import Step


class Ema:
    """average = decay * average + (1 - decay) * weights after each step; a hook of `fit`.

    The decay starts small, min(decay, (1 + n) / (10 + n)) after n steps, so that the first weights are soon forgotten.

    Args:
        model: whose weights are averaged.
        decay: share of the old average that is kept at each step.
        calibration: batches on which the statistics of batch norms are measured anew by `settled`.
    """

    def __init__(self, model: UniversalRestorer, decay: float, calibration: Sequence[Batch] = ()) -> None:
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        self.model: nn.Module = model
        self.decay, self.calibration = decay, calibration

    @torch.no_grad()
    def __call__(self, step: Step) -> None:
        """Move the average, unless the step was skipped."""
        if step.skipped:
            return
        decay = min(self.decay, (1 + step.number) / (10 + step.number))
        average, weights = ([p.detach() for p in m.parameters()] for m in (self.average, self.model))
        torch._foreach_lerp_(average, weights, 1 - decay)
        for kept, new in zip(self.average.buffers(), self.model.buffers(), strict=True):
            kept.copy_(new)

    @torch.no_grad()
    def settled(self) -> UniversalRestorer:
        """The average, with the statistics of its batch norms measured for it: the raw weights' are not its own.

        Those of norms that keep still are not measured anew.
        """
        both = zip(self.average.modules(), self.model.modules(), strict=True)
        norms = [m for m, raw in both if isinstance(m, nn.BatchNorm2d) and raw.weight.requires_grad]
        if norms and self.calibration:
            momentum = norms[0].momentum
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # a plain mean over the batches
                norm.train()
            for batch in self.calibration:
                self.average.name(self.average.network.features(batch.degraded))
            for norm in norms:
                norm.momentum = momentum
                norm.eval()
        return self.average
