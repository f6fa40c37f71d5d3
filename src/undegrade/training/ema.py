"""A slowly moving average of the weights."""

from __future__ import annotations

import copy

import torch

from undegrade.networks import UniversalRestorer
from undegrade.training.loop import Step


class Ema:
    """average = decay * average + (1 - decay) * weights after each step; a hook of `fit`.

    The decay starts small, min(decay, (1 + n) / (10 + n)) after n steps, so that the first weights are soon forgotten.
    """

    def __init__(self, model: UniversalRestorer, decay: float) -> None:
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        self.model, self.decay = model, decay

    @torch.no_grad()
    def __call__(self, step: Step) -> None:
        """Move the average."""
        decay = min(self.decay, (1 + step.number) / (10 + step.number))
        average, weights = ([p.detach() for p in m.parameters()] for m in (self.average, self.model))
        torch._foreach_lerp_(average, weights, 1 - decay)
        for kept, new in zip(self.average.buffers(), self.model.buffers(), strict=True):
            kept.copy_(new)  # statistics of batch norms are averages already
