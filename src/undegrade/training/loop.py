"""One loop for every objective."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.errors import UndegradeError
from undegrade.training.recipe import Stage
from undegrade.training.schedule import warmup_cosine


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a hook is told after each step."""

    number: int  # steps of this stage that are done
    scalars: dict[str, Tensor]  # what the objective returned
    lr: float  # the rate just used
    optimizer: torch.optim.Optimizer


Hook = Callable[[Step], None]


def make_optimizer(objective: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    """AdamW over all parameters, without weight decay on vectors (biases, norms, gains)."""
    matrices = [p for p in objective.parameters() if p.ndim >= 2 and p.requires_grad and p.numel() > max(p.shape)]
    taken = {id(p) for p in matrices}
    vectors = [p for p in objective.parameters() if id(p) not in taken and p.requires_grad]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=stage.lr, betas=stage.betas, weight_decay=stage.weight_decay, fused=True)


def fit(
    objective: nn.Module,
    batches: Iterable[Batch],
    stage: Stage,
    hooks: Iterable[Hook] = (),
    *,
    optimizer: torch.optim.Optimizer | None = None,
    first: int = 0,
) -> None:
    """Train `objective` in place for the steps of `stage` that are left: draw, forward, backward, clip, step, hooks.

    Args:
        objective: its forward takes a Batch and returns scalars, of which "loss" is minimised.
        batches: at least as many as there are steps left.
        stage: rates, clipping, precision.
        hooks: called in order after each step.
        optimizer: a new AdamW unless given.
        first: steps of the stage that are done.

    Raises:
        UndegradeError: the loss is no longer finite.
    """
    # Autocast is ours: accelerate keeps the precision of a process's first stage for all that follow.
    accelerator = Accelerator()
    device = str(accelerator.device)
    optimizer = optimizer or make_optimizer(objective, stage)
    objective.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    for number, batch in zip(range(first, stage.steps), batches, strict=False):
        lr = stage.lr * warmup_cosine(number, steps=stage.steps, warmup=stage.warmup, floor=stage.lr_floor)
        for group in optimizer.param_groups:
            group["lr"] = lr
        with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=stage.bf16):
            scalars = objective(batch.to(device))
        if not torch.isfinite(scalars["loss"]):
            raise UndegradeError(f"the loss is {scalars['loss'].item()} at step {number}; lower the learning rate")
        accelerator.backward(scalars["loss"])
        if stage.clip:
            accelerator.clip_grad_norm_(objective.parameters(), stage.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        for hook in hooks:
            hook(Step(number=number + 1, scalars=scalars, lr=lr, optimizer=optimizer))
