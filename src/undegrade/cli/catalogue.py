"""`undegrade models`, `recipes` and `degradations`: what there is."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.output import show
from undegrade.errors import UndegradeError
from undegrade.inference.extras import needs_train
from undegrade.inference.models import MODELS

if TYPE_CHECKING:
    from undegrade.degradations import Degradation

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def models(as_json: Json = False) -> None:
    """List the shipped models."""
    records: list[dict[str, Any]] = []
    for name, model in MODELS.items():
        files = [path for path in (model.path, model.path.with_suffix(".bin")) if path.is_file()]
        records.append(
            {
                "name": name,
                "about": model.about,
                "file": str(model.path),
                "installed": len(files) == 2,
                "bytes": sum(path.stat().st_size for path in files),
            }
        )
    rows = [(r["name"], r["about"], f"{r['bytes'] / 1e6:.1f}" if r["installed"] else "missing") for r in records]
    show(records, ("model", "about", "MB"), rows, as_json=as_json)


def recipes(as_json: Json = False) -> None:
    """List the recipes that `undegrade train` knows; each has a twin NAME-debug of seconds. Needs PyTorch."""
    with needs_train("undegrade recipes"):
        from undegrade.recipes import RECIPES
    records: list[dict[str, Any]] = [
        {"name": name, "about": _first_line(recipe), "stages": [stage.steps for stage in recipe().stages]}
        for name, recipe in RECIPES.items()
        if not name.endswith("-debug")
    ]
    rows = [(r["name"], r["about"], " + ".join(map(str, r["stages"]))) for r in records]
    show(records, ("recipe", "about", "steps"), rows, as_json=as_json)


def degradations(
    as_json: Json = False,
    gallery: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Write a page that shows each at five severities instead.")
    ] = None,
    photo: Annotated[Path | None, typer.Option(help="The clean photo that the gallery spoils.")] = None,
) -> None:
    """List the degradations with their fields, and the mixtures. Needs PyTorch."""
    with needs_train("undegrade degradations"):
        from undegrade.degradations import COMPOUNDS, DEGRADATIONS
        from undegrade.degradations.chain import outline
    if gallery:
        if photo is None:
            raise UndegradeError("degradations: --gallery needs a clean photo to spoil; add --photo FILE")
        from undegrade.evaluation.gallery import write_gallery
        from undegrade.images import read_picture

        write_gallery(read_picture(photo).pixels, gallery)
        typer.echo(gallery)
        return
    records: list[dict[str, Any]] = [
        {"name": name, "family": kind.family, "about": _first_line(kind), "fields": _fields(kind)}
        for name, kind in DEGRADATIONS.items()
    ]
    records += [{"name": name, "family": "mixture", "about": outline(step)} for name, step in COMPOUNDS.items()]
    rows = []
    for record in records:
        lines = [f"{f['name']} {f['low']:g}..{f['high']:g}, {f['unit']}" for f in record.get("fields", ())]
        rows.append((record["family"], record["name"], record["about"], "\n".join(lines)))
    show(records, ("family", "degradation", "about", "fields with their ranges"), rows, as_json=as_json)


def _fields(kind: type[Degradation]) -> list[dict[str, Any]]:
    """The severities of a degradation; `limits` is what may be asked for, `low` to `high` what is drawn unasked."""
    example = kind()
    return [
        {
            "name": name,
            "unit": unit.text,
            "low": getattr(example, name)[0],
            "high": getattr(example, name)[1],
            "limits": list(unit.limits),
            "whole": unit.whole,
            "falling": unit.falling,
        }
        for name, unit in kind.units().items()
    ]


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]
