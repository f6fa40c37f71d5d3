"""Several degradations one after another."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation


@dataclass(frozen=True, kw_only=True)
class Chain:
    """y = d_n(... d_2(d_1(x))): what happened to the picture, first thing first."""

    steps: tuple[Degradation, ...]

    def sample(self, rng: torch.Generator) -> tuple[dict[str, float], ...]:
        """Draw the severities of each step."""
        return tuple(step.sample(rng) for step in self.steps)

    def degrade(self, clean: Tensor, rng: torch.Generator, severities: tuple[dict[str, float], ...]) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; deterministic given `rng` and `severities`."""
        for step, drawn in zip(self.steps, severities, strict=True):
            clean = step.degrade(clean, rng, drawn)
        return clean
