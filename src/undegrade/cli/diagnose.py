"""`undegrade diagnose`: say what is wrong with pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undegrade import reports
from undegrade.cli.options import Inputs, Ray, as_path
from undegrade.cli.output import Report, progress
from undegrade.inference.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from undegrade.diagnosis import Diagnosis
    from undegrade.inference.restorer import Restorer


def diagnose(
    context: typer.Context,
    inputs: Inputs,
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="A shipped model, a file or folder of one, or hf:OWNER/NAME.")
    ] = (DEFAULT_MODEL),
    where: Annotated[
        Path | None,
        typer.Option("--map", metavar="OUT.png", help="Also draw where; of one picture. It must not exist yet."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    ray: Ray = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="PATH", help="With --ray: folder or URL of the manifest.")
    ] = None,
    at_once: Annotated[int | None, typer.Option("--jobs", min=1, help="With --ray: workers; else each core.")] = None,
) -> None:
    """Say what is wrong with pictures, and change nothing."""
    if ray is not None:
        from undegrade.cli.archiving import diagnose_archive

        diagnose_archive(dict(context.params), debug=context.obj)
        return
    from undegrade.api import load
    from undegrade.inference.jobs import Failure, attempt, find_inputs

    _check_alone(out, at_once)
    report = Report(debug=context.obj, as_json=as_json)
    sources, failures = find_inputs([as_path(given) for given in inputs])
    restorer = load(model)
    if where is not None:
        _check_map(where, sources)
    for failure in failures:
        report.fail(failure)
    with progress(len(sources)) as advance:
        for number, source in enumerate(sources, start=1):
            found = attempt(source, partial(_diagnose_file, restorer, source, where))
            advance(number)
            if isinstance(found, Failure):
                report.fail(found)
            else:
                row = (str(source), reports.found(found), f"{found.probability:.0%}")
                report.add({"input": str(source), **reports.diagnosis_data(found)}, row)
    report.finish(("picture", "found", "probability"))


def _check_alone(out: str | None, at_once: int | None) -> None:
    """Refuse what only archives have."""
    from undegrade.errors import UndegradeError

    if out is not None or at_once is not None:
        raise UndegradeError("--out, --jobs: belong to --ray; add it, or leave them out")


def _check_map(where: Path, sources: Sequence[Path]) -> None:
    """Refuse a map of several pictures, or one that would replace something."""
    from undegrade.errors import UndegradeError
    from undegrade.images import check_target

    if len(sources) != 1:
        raise UndegradeError(f"--map: draws one picture, and {len(sources)} are given; give one")
    if where.exists():
        raise UndegradeError(f"{where}: exists already; choose another name for the map, or remove it")
    check_target(where)


def _diagnose_file(restorer: Restorer[Diagnosis], source: Path, where: Path | None) -> Diagnosis:
    from undegrade.images import read_picture

    picture = read_picture(source)
    if where is not None:
        from undegrade.images import Picture, write_picture
        from undegrade.inference.locating import draw_map, legend, locate
        from undegrade.inference.rows import Held

        found = restorer.diagnose(picture)
        places = locate(restorer, Held(picture))
        write_picture(Picture(pixels=draw_map(picture.pixels, places)), where)
        colours = ", ".join(f"{kind} {colour}" for kind, colour in legend(places).items())
        typer.echo(f"{where}: {colours or 'nothing likely anywhere'}", err=True)
        return found
    return restorer.diagnose(picture)
