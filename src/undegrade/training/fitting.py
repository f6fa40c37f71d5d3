"""Whether the stages of a recipe fit its model and the processes that share the work."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from undegrade.errors import UndegradeError
from undegrade.networks import UniversalRestorer
from undegrade.training.recipe import Recipe, Stage


def check_stages(recipe: Recipe, model: UniversalRestorer, processes: int, parts: int) -> None:
    """Refuse what cannot be carried out.

    Args:
        recipe: whose stages they are.
        model: of the recipe.
        processes: that share each batch.
        parts: in which each of them goes through its share.

    Raises:
        UndegradeError: a crop, a batch or what shall keep still does not fit; the field is named.
    """
    shares = processes * parts
    sharers = ", the number of processes, which share it"
    if parts > 1:
        sharers = f", the number of processes, which share it, times the {parts} parts of --parts"
    for number, stage in enumerate(recipe.stages):
        _check_still(number, stage, model)
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


def lies_in(name: str, parts: Sequence[str]) -> bool:
    """Whether the weight of that name is one of these parts, or in one; "*" stands for anything.

    >>> lies_in("network.light.told.weight", ("network.light",)), lies_in("network.lights", ("network.light",))
    (True, False)
    >>> lies_in("network.middle.0.conv1.own_in", ("*.own_in", "*.own_out"))
    True
    """
    return any(fnmatchcase(name, part) or fnmatchcase(name, f"{part}.*") for part in parts)
