"""Whether the stages of a recipe fit its model and the processes that share the work."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from undegrade.errors import UndegradeError
from undegrade.networks import UniversalRestorer
from undegrade.networks.base import GuidedNetwork
from undegrade.training.recipe import Recipe, Stage


def check_stages(
    recipe: Recipe, model: UniversalRestorer, processes: int, parts: int, *, sharded: bool = False
) -> None:
    """Refuse what cannot be carried out.

    Args:
        recipe: whose stages they are.
        model: of the recipe.
        processes: that share each batch.
        parts: in which each of them goes through its share.
        sharded: whether each of them holds a share of the weights.

    Raises:
        UndegradeError: a crop, a batch or what shall keep still does not fit; the field is named.
    """
    shares = processes * parts
    sharers = ", the number of processes, which share it"
    if parts > 1:
        sharers = f", the number of processes, which share it, times the {parts} parts of --parts"
    for number, stage in enumerate(recipe.stages):
        _check_still(number, stage, model)
        _check_kinds(number, stage, model, sharded)
        for name, value, divisor, what in (
            ("crop", stage.crop, model.network.size_multiple, " for this network"),
            ("batch", stage.batch, shares, sharers),
        ):
            if value % divisor:
                raise UndegradeError(f"stages.{number}.{name} is {value}; it must be a multiple of {divisor}{what}")
        untold, share = recipe.mixture_of(stage).untold, stage.batch // shares
        if shares > 1 and untold and share % untold:  # else some would have nothing to name, or more than others
            raise UndegradeError(
                f"stages.{number}.batch is {stage.batch}, {share} for each of {shares}; each share must be a "
                f"multiple of {untold}, mixture.untold"
            )


def _check_still(number: int, stage: Stage, model: UniversalRestorer) -> None:
    names = [name for name, _ in model.named_parameters()]
    for part in stage.still:
        if not any(lies_in(name, (part,)) for name in names):
            known = ", ".join(sorted({".".join(name.split(".")[:2]) for name in names}))
            raise UndegradeError(
                f"stages.{number}.still is {stage.still}; the model has no {part!r}, known are {known}"
            )
    if all(lies_in(name, stage.still) for name in names):
        raise UndegradeError(f"stages.{number}.still is {stage.still}, the whole model; leave a part to be trained")


def _check_kinds(number: int, stage: Stage, model: UniversalRestorer, sharded: bool) -> None:
    if not stage.kinds:
        return
    field = f"stages.{number}.kinds is {stage.kinds}"
    if not _own(model):
        raise UndegradeError(f"{field}; the network has nothing that belongs to one label, leave it empty")
    if unknown := [kind for kind in stage.kinds if kind not in model.labels]:
        raise UndegradeError(f"{field}; {unknown[0]!r} is not known, known are {', '.join(model.labels)}")
    if stage.weight_decay:
        raise UndegradeError(f"{field}; weight_decay moves the others, too, make it 0")
    if sharded:
        raise UndegradeError(f"{field}; rows cannot keep still where weights are shared out, train without FSDP")


def keep_still(model: UniversalRestorer, stage: Stage) -> list[RemovableHandle]:
    """Freeze what keeps still in a stage, and let all else learn.

    Returns:
        What holds the rows of labels that do not learn; to be removed when the stage is over.
    """
    learning = torch.tensor([label in stage.kinds for label in model.labels], dtype=torch.float32)
    held, own = [], _own(model)
    for name, weight in model.named_parameters():
        weight.requires_grad_(not lies_in(name, stage.still))
        if stage.kinds and weight.requires_grad and lies_in(name, own):
            rows = learning.view(-1, *[1] * (weight.ndim - 1))
            held.append(weight.register_hook(partial(_masked, rows.to(weight.device))))
    return held


def _masked(rows: Tensor, gradient: Tensor) -> Tensor:
    return gradient * rows


def _own(model: UniversalRestorer) -> tuple[str, ...]:
    return model.network.own if isinstance(model.network, GuidedNetwork) else ()


def lies_in(name: str, parts: Sequence[str]) -> bool:
    """Whether the weight of that name is one of these parts, or in one; "*" stands for anything.

    >>> lies_in("network.light.told.weight", ("network.light",)), lies_in("network.lights", ("network.light",))
    (True, False)
    >>> lies_in("network.middle.0.conv1.own_in", ("*.own_in", "*.own_out"))
    True
    """
    return any(fnmatchcase(name, part) or fnmatchcase(name, f"{part}.*") for part in parts)
