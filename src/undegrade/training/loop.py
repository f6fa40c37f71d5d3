"""One loop for every objective, in one process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from undegrade.batch import Batch
from undegrade.errors import UndegradeError
from undegrade.networks import DegradationClassifier, GuidedConv
from undegrade.networks.shared_norm import shared_statistics
from undegrade.training.muon import Muon
from undegrade.training.precision import reduced
from undegrade.training.processes import average, join, same_everywhere, whole
from undegrade.training.recipe import Stage
from undegrade.training.schedule import share_of_peak

MANY = 16  # channels in and out of a kernel that is more than a colour's
GIVEN_UP = (
    "the loss or its gradient was no finite number {} times in a row; the last save stands, lower the learning rate "
    "(--set stages.N.lr=...) or clip the gradient (stages.N.clip)"
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a hook is told after each step."""

    number: int  # steps of this stage that are done
    scalars: dict[str, Tensor]  # what the objective returned, averaged over the processes, and the gradient's norm
    lr: float  # the rate just used
    optimizer: torch.optim.Optimizer
    skipped: int = 0  # steps in a row, up to this one, whose loss or gradient was no number: nothing was changed


Hook = Callable[[Step], None]


def make_optimizer(objective: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    """The stage's: no weight decay on vectors (biases, norms, gains), and rates of its own for the classifier.

    Muon moves the kernels between two features of at least `MANY` channels, and what is added to them; first and last
    layers, the classifier and depthwise convolutions are left to AdamW.
    """
    heads = [module for module in objective.modules() if isinstance(module, DegradationClassifier)]
    named = {id(p) for head in heads for p in head.parameters()}
    guided = [module for module in objective.modules() if isinstance(module, GuidedConv)]
    added = {id(p) for module in guided for p in module.added}
    orthogonal = stage.optimizer == "muon"
    groups: list[dict[str, Any]] = []
    for lr, decay, of_head in (
        (stage.lr, stage.weight_decay, False),
        (stage.classifier_lr or stage.lr, stage.classifier_weight_decay, True),
    ):
        own = [p for p in objective.parameters() if p.requires_grad and (id(p) in named) == of_head]
        matrices = [p for p in own if p.ndim >= 2 and p.numel() > max(p.shape)]
        taken = {id(p) for p in matrices}
        vectors = [p for p in own if id(p) not in taken]
        kernels = [p for p in matrices if orthogonal and not of_head and (id(p) in added or _is_kernel(p))]
        turned = {id(p) for p in kernels}
        matrices = [p for p in matrices if id(p) not in turned]
        groups += [
            {"params": params, "peak": lr, "weight_decay": wd, **({"kernels": params is kernels} if orthogonal else {})}
            for params, wd in ((matrices, decay), (vectors, 0.0), (kernels, decay))
            if params
        ]
    if orthogonal:
        return Muon(groups, stage.lr, stage.betas)
    return torch.optim.AdamW(groups, lr=stage.lr, betas=stage.betas, fused=True)


def _is_kernel(parameter: Tensor) -> bool:
    return parameter.ndim == 4 and min(parameter.shape[:2]) >= MANY


def fit(
    objective: nn.Module,
    batches: Iterable[Batch],
    stage: Stage,
    hooks: Iterable[Hook] = (),
    *,
    optimizer: torch.optim.Optimizer | None = None,
    first: int = 0,
    skipped: int = 0,
    parts: int = 1,
) -> None:
    """Train `objective` in place for the steps of `stage` that are left: draw, forward, backward, clip, step, hooks.

    Args:
        objective: its forward takes a Batch and returns scalars, means over the batch, of which "loss" is minimised;
            shared out among the processes (`sharding.shard`), or else copied to each.
        batches: at least as many as there are steps left; of several processes, each has its share of every batch.
        stage: rates, clipping, precision.
        hooks: called in order after each step.
        optimizer: a new AdamW unless given.
        first: steps of the stage that are done.
        skipped: how many of them, the last in a row, were skipped.
        parts: in which each process goes through its share of a batch, one after another, so that it needs less memory.

    Raises:
        UndegradeError: the loss or its gradient was no number `stage.max_skipped` times in a row.
    """
    # Autocast is ours: accelerate keeps the precision of a process's first stage for all that follow.
    accelerator = join()
    optimizer = optimizer or make_optimizer(objective, stage)
    _place(accelerator, objective)
    with shared_statistics(objective, accelerator.num_processes > 1):
        for number, batch in zip(range(first, stage.steps), batches, strict=False):
            lr = _set_rates(optimizer, stage, number)
            before = [buffer.clone() for buffer in objective.buffers()]
            scalars = _backward(accelerator, objective, batch.split(parts), parts, stage)
            scalars = average(accelerator, objective, scalars)
            scalars["grad_norm"] = whole(nn.utils.clip_grad_norm_(objective.parameters(), stage.clip or float("inf")))
            sound = bool(torch.isfinite(scalars["loss"]) & torch.isfinite(scalars["grad_norm"]))
            if sound:
                optimizer.step()
            else:
                _restore(objective, before)
            optimizer.zero_grad(set_to_none=True)
            skipped = 0 if sound else skipped + 1
            for hook in hooks:
                hook(Step(number=number + 1, scalars=scalars, lr=lr, optimizer=optimizer, skipped=skipped))
            if skipped >= stage.max_skipped:
                raise UndegradeError(f"step {number + 1}: {GIVEN_UP.format(skipped)}")


def _place(accelerator: Accelerator, objective: nn.Module) -> None:
    """Put the objective where it is trained; what is shared out lies there, and must stay as it is."""
    if not isinstance(objective, FSDPModule):
        objective.to(str(accelerator.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        same_everywhere(accelerator, objective)
    objective.train()


def _backward(
    accelerator: Accelerator, objective: nn.Module, batches: Iterable[Batch], parts: int, stage: Stage
) -> dict[str, Tensor]:
    """Add up the gradients of the parts of a batch; returns the means of the scalars, which are those of the whole."""
    sums: dict[str, Tensor] = {}
    for batch in batches:
        with reduced(accelerator.device.type, wanted=stage.bf16):
            scalars = objective(batch.to(str(accelerator.device)))
        accelerator.backward(scalars["loss"] / parts)
        for name, value in scalars.items():
            share = value.detach() / parts
            sums[name] = sums[name] + share if name in sums else share
    return sums


def _set_rates(optimizer: torch.optim.Optimizer, stage: Stage, number: int) -> float:
    """Give each group its rate at this step; returns the network's."""
    share = share_of_peak(number, kind=stage.schedule, steps=stage.steps, warmup=stage.warmup, floor=stage.lr_floor)
    for group in optimizer.param_groups:
        group["lr"] = group.get("peak", stage.lr) * share
    return stage.lr * share


@torch.no_grad()
def _restore(objective: nn.Module, buffers: Sequence[Tensor]) -> None:
    """Put the statistics of batch norms back, which the forward has changed already."""
    for buffer, kept in zip(objective.buffers(), buffers, strict=True):
        buffer.copy_(kept)
