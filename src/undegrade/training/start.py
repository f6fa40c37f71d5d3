"""Weights to begin with, from a checkpoint."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from undegrade.errors import UndegradeError
from undegrade.networks import GuidedCascade, GuidedUNet, RestorationNetwork, UniversalRestorer
from undegrade.networks.checkpoint import load_checkpoint


@torch.no_grad()
def start_from(model: UniversalRestorer, path: Path, *, whole: bool = False) -> str:
    """Take the weights of the checkpoint: the network's, and the heads' where they have the same labels and shapes.

    A cascade also begins with its first network alone.

    Args:
        model: is filled in.
        path: of the checkpoint.
        whole: its heads have to be the model's, too.

    Returns:
        What was taken and what begins afresh, as a sentence.

    Raises:
        UndegradeError: the checkpoint cannot be read, or is of another network; the first difference is named.
    """
    given = load_checkpoint(path)
    network: RestorationNetwork = model.network
    if isinstance(network, GuidedCascade) and isinstance(given.network, GuidedUNet):
        network = network.first
    if type(given.network) is not type(network):
        wanted, found = type(network).__name__, type(given.network).__name__
        raise UndegradeError(f"{path}: holds a {found}; the recipe trains a {wanted}, choose another checkpoint")
    ours, theirs = asdict(network.config), asdict(given.network.config)
    other = next((name for name in ours if ours[name] != theirs[name]), None)
    if other:
        raise UndegradeError(
            f"{path}: the network's {other} is {theirs[other]}, the recipe's {ours[other]}; "
            f"set network.{other}, or choose another checkpoint"
        )
    network.load_state_dict(given.network.state_dict())
    taken = ["network" if network is model.network else "the first network"]
    afresh = list[str]()
    for name in ("classifier", "answers"):
        head, source = getattr(model, name), getattr(given, name)
        if head is None:
            continue
        fits = source is not None and given.labels == model.labels
        fits = fits and _shapes(head.state_dict()) == _shapes(source.state_dict())
        (taken if fits else afresh).append(name)
        if fits:
            head.load_state_dict(source.state_dict())
    if whole and afresh:
        raise UndegradeError(
            f"{path}: its {', '.join(afresh)} is not the recipe's (other labels or shapes); choose another checkpoint"
        )
    rest = f"; begun afresh: {', '.join(afresh)} (other labels or shapes)" if afresh else ""
    return f"from {path}: {', '.join(taken)}{rest}"


def _shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}
