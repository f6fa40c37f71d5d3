"""FSDP2: weights, their averages, gradients and moments shared out among the processes, not copied to each."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard

from undegrade.networks.blocks import Stage as Blocks
from undegrade.training.ema import Ema
from undegrade.training.loop import Hook, Step
from undegrade.training.processes import same_everywhere, shared_like, whole

LEAST = 250_000  # parameters of a block that is worth an exchange of its own


def sharding_wanted(accelerator: Accelerator) -> bool:
    """Whether accelerate was told FSDP, and there are processes to share with; `join` has seen that it is FSDP2."""
    return accelerator.num_processes > 1 and os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"


def shard(accelerator: Accelerator, module: nn.Module) -> None:
    """Leave this process its share of each parameter of the first process's module, in place."""
    device = accelerator.device
    module.to(str(device), memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    same_everywhere(accelerator, module)
    share_out(module, init_device_mesh(device.type, (accelerator.num_processes,)))


def share_out(module: nn.Module, mesh: DeviceMesh, least: int = LEAST) -> None:
    """Share a module out, in place; its `forward`, and the backward of that, gather what they need.

    Blocks of networks are gathered one after another, all the rest together: objectives call other methods than
    `forward` of the modules inside, before which nothing would be gathered.

    Args:
        module: of contiguous parameters, the same in all processes.
        mesh: the processes.
        least: parameters of the smallest block that is gathered by itself.
    """
    for block in [block for stage in module.modules() if isinstance(stage, Blocks) for block in stage]:
        if sum(p.numel() for p in block.parameters()) >= least:
            fully_shard(block, mesh=mesh)
    fully_shard(module, mesh=mesh)


class Shares:
    """A stage's objective and averages, shared out; the whole ones stay beside them, in main memory.

    They are as they were last gathered. Gathering takes all processes, so `tell` is a hook of each one's `fit`.

    Args:
        accelerator: this process's place.
        objective: whole, as is what follows.
        ema: of its model, if there is one.
        due: whether the whole ones are needed after so many steps.

    Attributes:
        objective: to be trained.
        ema: a hook of `fit`, which moves the averages.
    """

    def __init__(
        self, accelerator: Accelerator, objective: nn.Module, ema: Ema | None, due: Callable[[int], bool]
    ) -> None:
        self.accelerator, self.due = accelerator, due
        self._state: dict[str, Any] = {}
        self.objective, self.ema = copy.deepcopy(objective), copy.copy(ema)
        self._pairs = [(objective, self.objective)]
        if ema and self.ema:
            self.ema.model, self.ema.average = self.objective.get_submodule("model"), copy.deepcopy(ema.average)
            self._pairs.append((ema.average, self.ema.average))
        for kept, shared in self._pairs:
            shard(accelerator, shared)
            kept.cpu()

    def tell(self, hooks: Sequence[Hook], step: Step) -> None:
        """Gather when it is time, then tell the hooks of this process, which save and validate."""
        due = self.due(step.number)
        if due:
            self._gather(step.optimizer)
            self._put_on(str(self.accelerator.device) if hooks else "cpu")
        for hook in hooks:
            hook(step)
        if due:
            self._put_on("cpu")

    def state_of(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """The state of the optimizer when it was last gathered, as one process alone would have it."""
        return self._state

    def end(self) -> None:
        """Put the whole ones back where they were."""
        self._put_on(str(self.accelerator.device))

    def _put_on(self, device: str) -> None:
        for kept, _ in self._pairs:
            kept.to(device)

    @torch.no_grad()
    def _gather(self, optimizer: torch.optim.Optimizer) -> None:
        for kept, shared in self._pairs:
            theirs = (*shared.parameters(), *shared.buffers())
            for value, share in zip((*kept.parameters(), *kept.buffers()), theirs, strict=True):
                value.copy_(whole(share))
        state = optimizer.state_dict()
        state["state"] = {
            number: {name: _as_copied(whole(value).cpu()) for name, value in values.items()}
            for number, values in state["state"].items()
        }
        self._state = state if self.accelerator.is_main_process else {}


def _as_copied(moment: torch.Tensor) -> torch.Tensor:
    """In the memory order of the weights that `fit` copies: the fused AdamW takes both as they lie."""
    return moment.contiguous(memory_format=torch.channels_last) if moment.ndim == 4 else moment


def share_of_state(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """The state of an optimizer as one process alone has it, or all together -> this process's share, if it has one."""
    shared = dict(enumerate(p for group in optimizer.param_groups for p in group["params"]))

    def share(parameter: Any, value: Any) -> Any:
        return value if parameter is None or value.shape != parameter.shape else shared_like(parameter, value)

    states = {
        number: {name: share(shared.get(number), value) for name, value in values.items()}
        for number, values in state["state"].items()
    }
    return {**state, "state": states}
