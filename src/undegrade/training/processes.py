"""What several training processes share: weights, gradients, scalars, and who may write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, broadcast_object_list
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from undegrade.errors import UndegradeError

T = TypeVar("T")


class OwnError(UndegradeError):
    """What one of several processes has met alone, so that it has to say so itself."""


def join() -> Accelerator:
    """This process's place among those that accelerate or torchrun started, on CPUs too.

    Without a GPU accelerate takes each of several processes for the only one, unless it is told.

    Raises:
        UndegradeError: accelerate was told FSDP of another version than 2.
    """
    version = os.environ.get("FSDP_VERSION", "1")
    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true" and version != "2":
        raise UndegradeError(
            f"accelerate was told FSDP of version {version}; undegrade has FSDP2: set fsdp_version: 2 in accelerate's "
            "configuration, or FSDP_VERSION=2"
        )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.cuda.is_available():
        os.environ.setdefault("ACCELERATE_USE_CPU", "true")
    return Accelerator()


@torch.no_grad()
def same_everywhere(accelerator: Accelerator, module: nn.Module) -> None:
    """Give every process the first one's weights and statistics."""
    if accelerator.num_processes > 1:
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.copy_(broadcast(tensor.detach().contiguous()))


@torch.no_grad()
def average(accelerator: Accelerator, module: nn.Module, scalars: dict[str, Tensor]) -> dict[str, Tensor]:
    """Average the gradients of the module, in place, and the scalars, in one exchange.

    With equal shares of a batch and losses that are means over it, that is what one process would have found. Gradients
    that are shared out have been averaged on the way.
    """
    if accelerator.num_processes == 1:
        return {name: value.detach() for name, value in scalars.items()}
    gradients = [p.grad for p in module.parameters() if p.grad is not None and not isinstance(p.grad, DTensor)]
    values = torch.stack([value.detach().float() for value in scalars.values()])
    flat = torch.cat([values, *(gradient.float().flatten() for gradient in gradients)])
    torch.distributed.all_reduce(flat)
    flat /= accelerator.num_processes
    values, *parts = flat.split([len(values), *(gradient.numel() for gradient in gradients)])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
    return dict(zip(scalars, values, strict=True))


def whole(tensor: Tensor) -> Tensor:
    """The tensor; if it is shared out, gathered, in which all processes must take part."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def shared_like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """This process's share of a whole tensor of the parameter's shape; itself, if the parameter is not shared out."""
    if not isinstance(parameter, DTensor):
        return tensor
    whole_one = tensor.to(parameter.device).contiguous()
    return distribute_tensor(whole_one, parameter.device_mesh, parameter.placements)


def first_alone(accelerator: Accelerator, work: Callable[[], T]) -> T:
    """What `work` returns in the first process, in all of them; they wait for it.

    Raises:
        UndegradeError: in the first process, what `work` raised; the others end quietly, with code 1.
    """
    if accelerator.num_processes == 1:
        return work()
    answer: list[T | None] = [None]
    failure: UndegradeError | None = None
    if accelerator.is_main_process:
        try:
            answer = [work()]
        except UndegradeError as error:
            failure = error
    done = broadcast_object_list([failure is None, answer[0]])
    if failure:
        raise failure
    if not done[0]:
        raise SystemExit(1)
    result: T = done[1]
    return result


def own(batches: Iterable[T]) -> Iterator[T]:
    """The batches of one process's share.

    Raises:
        OwnError: one cannot be made.
    """
    try:
        yield from batches
    except UndegradeError as error:
        raise OwnError(str(error)) from None


def agree(accelerator: Accelerator, place: object, what: str) -> None:
    """Go on only where this process has the same `place` as the first one.

    Raises:
        OwnError: it has another one; `what` says why, in a sentence's first half.
    """
    first = first_alone(accelerator, lambda: place)
    if place != first:
        raise OwnError(f"{what} (process {accelerator.process_index} finds {place}, the first one {first})")
