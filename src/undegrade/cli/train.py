"""`undegrade train`: carry out a recipe."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undegrade.cli.output import training_progress
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from undegrade.batch import Batch
    from undegrade.data.places import Place
    from undegrade.networks import UniversalRestorer
    from undegrade.training.recipe import Recipe
    from undegrade.training.run import Pace

VALIDATION_BATCHES = 8  # of 22 patches each, always the same
VALIDATION_SEED = 1_000_003  # of the held-out patches; no recipe's own
QUIET = 3  # seconds that a process which says nothing waits, so that the launcher does not end the one that speaks


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe (undegrade recipes), or FILE.py:FUNCTION.")],
    clean: Annotated[
        Path | None, typer.Option(help="Folder of clean photographs; else $UNDEGRADE_DATA/photos.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field: stages.0.steps=100.")
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=DIR[:LAYOUT]", help="Pairs of a label of the recipe (docs/data.md)."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; else runs/RECIPE.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with an interrupted run.")] = False,
    workers: Annotated[int, typer.Option(min=0, help="Processes that make training data.")] = 1,
    minutes: Annotated[
        float, typer.Option(min=0.01, help="Save and stop after so long; --resume goes on.", show_default=False)
    ] = math.inf,
    start: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="Begin with the weights of this file or shipped model; not with --resume."),
    ] = None,
    parts: Annotated[
        int, typer.Option(min=1, help="In which a process goes through its share of a batch, to need less memory.")
    ] = 1,
) -> None:
    """Train a model on clean photographs by a recipe; ends with checkpoint.safetensors in the run's folder.

    Several processes share each batch: accelerate launch --num_processes N -m undegrade train ... (docs/training.md).
    """
    from undegrade.data.places import assign
    from undegrade.inference.models import MODELS
    from undegrade.training.recipe import override

    until = time.monotonic() + 60 * minutes
    with _one_voice():
        chosen = make_recipe(recipe)
        for text in setting or []:
            chosen = override(chosen, text)
        places = assign(chosen.mixture.pairs, pairs or [])
        photos = (clean or _default_photos()) if chosen.mixture.needs_photos else None
        folder = out or Path("runs") / chosen.name
        if str(start) in MODELS:
            start = MODELS[str(start)].path.with_suffix(".safetensors")
        pace = _pace(chosen, workers=workers, parts=parts, until=until)
        checkpoint = _carry_out(chosen, photos, places, folder, pace, resume=resume or _again(folder), start=start)
    if _is_first():
        typer.echo(checkpoint or "paused: the run is saved, --resume goes on")


def _carry_out(
    recipe: Recipe,
    photos: Path | None,
    places: tuple[Place, ...],
    folder: Path,
    pace: Pace,
    *,
    resume: bool,
    start: Path | None,
) -> Path | None:
    """Train; returns the checkpoint, or None where the time was over before."""
    from undegrade.training.run import Run

    validate, sheet = _validation(recipe, photos, places, 1 if _quick(recipe) else VALIDATION_BATCHES)
    with training_progress(sum(stage.steps for stage in recipe.stages), shown=_is_first()) as (advance, say):
        run = Run(
            recipe=recipe,
            clean=photos,
            folder=folder,
            validate=validate,
            show=lambda line: say(_as_text(line)),
            pace=pace,
            pairs=places,
            sheet=sheet,
            advance=advance,
            start=start,
            say=say,
        )
        return run.train(resume=resume)


def _quick(recipe: Recipe) -> bool:
    """Whether it is a debug twin."""
    return max(stage.steps for stage in recipe.stages) < 100


def _pace(recipe: Recipe, *, workers: int, parts: int, until: float) -> Pace:
    from undegrade.training.run import Pace

    usual = Pace(log=1, save=1, validate=1) if _quick(recipe) else Pace()
    return replace(usual, workers=workers, parts=parts, until=until)


def _again(folder: Path) -> bool:
    """Whether torchrun gives the command again because a process was lost: the run then goes on from its last save."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0 and (folder / "recipe.json").exists()


@contextmanager
def _one_voice() -> Iterator[None]:
    """What all processes find wrong, the first one on each machine says; what one has met alone, that one."""
    from undegrade.training.processes import OwnError

    try:
        yield
    except UndegradeError as error:
        if os.environ.get("LOCAL_RANK", "0") == "0" or isinstance(error, OwnError):
            raise
        time.sleep(QUIET)
        raise typer.Exit(2) from None


def _validation(
    recipe: Recipe, photos: Path | None, places: tuple[Place, ...], count: int
) -> tuple[Callable[[UniversalRestorer], dict[str, float]], Callable[[UniversalRestorer], NDArray[np.float32]]]:
    """What measures a model on `count` batches of held-out pictures, and what shows them."""
    from undegrade.evaluation.validation import before_after, validate

    held_out = _held_out(recipe, photos, places, count if _is_first() else 0)
    return lambda model: validate(model, held_out, recipe.mixture.labels), lambda model: before_after(
        model, held_out[0]
    )


def _is_first() -> bool:
    """Whether this is the first of the processes that accelerate started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def _as_text(line: dict[str, float]) -> str:
    """A line of the log for the screen; it says what the training waits for."""
    values = {name: value for name, value in line.items() if name != "data_wait"}
    text = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
    if "data_wait" not in line:
        return text
    bound = "data" if line["data_wait"] > 0.5 else "compute"
    return f"{text}  {bound}-bound ({line['data_wait']:.0%} waiting for data)"


def _held_out(recipe: Recipe, photos: Path | None, places: tuple[Place, ...], count: int) -> list[Batch]:
    """The batches of pictures that are not trained on, the same each time."""
    from undegrade.data.mixture import open_mixture

    mixture = open_mixture(
        replace(recipe.mixture, seed=VALIDATION_SEED, second=0.0, partly=0.0, untold=0),
        photos,
        places,
        part="held_out" if recipe.holdout else "all",
        holdout=recipe.holdout,
        batch=2 * len(recipe.mixture.labels),
        crop=recipe.stages[-1].crop,
    )
    return [mixture.make_batch(number) for number in range(count)]


def make_recipe(name: str) -> Recipe:
    """The recipe of that name, or what the function of FILE.py:FUNCTION returns.

    Raises:
        UndegradeError: there is no such recipe, file or function, or it fails, or returns something else.
    """
    from undegrade.recipes import RECIPES
    from undegrade.training.recipe import Recipe

    path, colon, function = name.rpartition(":")
    if not (colon and path.endswith(".py")):
        name = name.replace("_", "-")
        if name not in RECIPES:
            raise UndegradeError(f"unknown recipe {name!r}; known are {', '.join(RECIPES)}, or give FILE.py:FUNCTION")
        return RECIPES[name]()
    if not Path(path).is_file():
        raise UndegradeError(f"{path}: no such file; expected FILE.py:FUNCTION")
    from runpy import run_path

    try:
        found: Callable[[], object] | None = run_path(path).get(function)
        made = found() if callable(found) else None
    except Exception as error:  # whatever the user's file does
        raise UndegradeError(f"{path}: cannot be run ({type(error).__name__}: {error})") from error
    if not isinstance(made, Recipe):
        raise UndegradeError(f"{path}: {function!r} is no function that returns a Recipe")
    return made


def _default_photos() -> Path:
    """The photographs of $UNDEGRADE_DATA."""
    root = os.environ.get("UNDEGRADE_DATA")
    if not root:
        raise UndegradeError("no clean photographs: give --clean DIR, or set UNDEGRADE_DATA to a folder with photos/")
    return Path(root) / "photos"
