"""`undegrade train`: carry out a recipe."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from undegrade.batch import Batch
    from undegrade.data.places import Place
    from undegrade.training.recipe import Recipe

VALIDATION_BATCHES = 8  # of 22 patches each, always the same
VALIDATION_SEED = 1_000_003  # of the held-out patches; no recipe's own


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
) -> None:
    """Train a model on clean photographs by a recipe; ends with checkpoint.safetensors in the run's folder."""
    from undegrade.data.places import assign
    from undegrade.evaluation.validation import validate
    from undegrade.training.recipe import override
    from undegrade.training.run import Pace, Run

    chosen = make_recipe(recipe)
    for text in setting or []:
        chosen = override(chosen, text)
    places = assign(chosen.mixture.pairs, pairs or [])
    photos = (clean or _default_photos()) if chosen.mixture.needs_photos else None
    quick = max(stage.steps for stage in chosen.stages) < 100  # a debug twin
    fixed = _held_out(chosen, photos, places, 1 if quick else VALIDATION_BATCHES)
    pace = Pace(log=1, save=1, validate=1, workers=workers) if quick else Pace(workers=workers)
    run = Run(
        recipe=chosen,
        clean=photos,
        folder=out or Path("runs") / chosen.name,
        validate=lambda model: validate(model, fixed),
        show=lambda line: print("  ".join(f"{k} {v:.4g}" for k, v in line.items()), file=sys.stderr, flush=True),
        pace=pace,
        pairs=places,
    )
    typer.echo(run.train(resume=resume))


def _held_out(recipe: Recipe, photos: Path | None, places: tuple[Place, ...], count: int) -> list[Batch]:
    """The batches of pictures that are not trained on, the same each time."""
    from dataclasses import replace

    from undegrade.data.mixture import open_mixture

    mixture = open_mixture(
        replace(recipe.mixture, seed=VALIDATION_SEED),
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
