"""The state of an unfinished run, so that it goes on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from undegrade.atomic import written_whole
from undegrade.errors import UndegradeError
from undegrade.training.ema import Ema
from undegrade.training.hooks import Log
from undegrade.training.loop import Step
from undegrade.training.sharding import share_of_state

STATE = "state.pt"  # in the run's folder
FIELDS = {"stage", "step", "model", "ema", "optimizer"}  # without which nothing can go on


@dataclass(frozen=True, kw_only=True)
class Saver:
    """Writes everything that the next step depends on, every so many steps; a hook of `fit`. Data need no state:
    a sample depends on its number alone.
    """

    folder: Path
    stage: int
    model: nn.Module
    ema: Ema | None
    log: Log | None
    every: int  # steps
    done: Callable[[Step], None] = lambda step: None  # told after each save
    state_of: Callable[[torch.optim.Optimizer], dict[str, Any]] = torch.optim.Optimizer.state_dict

    def __call__(self, step: Step) -> None:
        """Save when it is time."""
        if step.number % self.every == 0:
            self.save(step.number, step.optimizer, step.skipped)
            self.done(step)

    def save(self, number: int, optimizer: torch.optim.Optimizer | None = None, skipped: int = 0) -> None:
        """Write the state after `number` steps, the last `skipped` of them without a number, whole or not at all."""
        state = {
            "stage": self.stage,
            "step": number,
            "model": self.model.state_dict(),
            "ema": self.ema.average.state_dict() if self.ema else None,
            "optimizer": self.state_of(optimizer) if optimizer else None,
            "skipped": skipped,
            "log": self.log.pending() if self.log else None,
        }
        # Through a file of Python's, whose errors say what is wrong with the disk.
        with written_whole(self.folder / STATE) as partial, partial.open("wb") as file:
            try:
                torch.save(state, file)
                file.flush()
            except RuntimeError as error:
                raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def load_state(folder: Path) -> dict[str, Any] | None:
    """The last saved state of the run in `folder`, or None where nothing was saved yet.

    Raises:
        UndegradeError: the file is damaged, or is not the state of a run.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever the unpickler meets
        raise UndegradeError(f"{path}: damaged ({type(error).__name__}); delete it to start the run anew") from None
    if not isinstance(state, dict) or not state.keys() >= FIELDS:
        raise UndegradeError(f"{path}: is not the state of a run; put the run's own back, or delete it to start anew")
    return state


def fill(model: nn.Module, weights: dict[str, Any], folder: Path) -> None:
    """Give the model the weights of a state.

    Raises:
        UndegradeError: they are of another network.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise UndegradeError(
            f"{folder / STATE}: the weights are of another network than the recipe's; delete it to start the run anew"
        ) from None


def fill_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any], folder: Path) -> None:
    """Give the optimizer its state, or this process its share of it, whatever number of processes saved it.

    Raises:
        UndegradeError: it is of another network or version.
    """
    try:
        optimizer.load_state_dict(share_of_state(optimizer, state))
    except (ValueError, KeyError):
        raise UndegradeError(
            f"{folder / STATE}: the optimizer's state is of another network or version; delete it to start the run anew"
        ) from None
