"""`undegrade diagnose`: say what is wrong with pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undegrade.cli.output import Report, as_data, progress
from undegrade.inference.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from undegrade.diagnosis import Diagnosis
    from undegrade.inference.restorer import Restorer


def diagnose(
    context: typer.Context,
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="Picture files, or folders of them.")],
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="A shipped model, or a .xml or .safetensors file.")
    ] = (DEFAULT_MODEL),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Say what is wrong with pictures, and change nothing."""
    from undegrade.api import load
    from undegrade.inference.jobs import Failure, attempt, find_inputs

    report = Report(debug=context.obj, as_json=as_json)
    sources, failures = find_inputs(inputs)
    restorer = load(model)
    for failure in failures:
        report.fail(failure)
    with progress(len(sources)) as advance:
        for number, source in enumerate(sources, start=1):
            found = attempt(source, partial(_diagnose_file, restorer, source))
            advance(number)
            if isinstance(found, Failure):
                report.fail(found)
            else:
                row = (str(source), found.sentence, f"{found.probability:.0%}")
                report.add({"input": str(source), **as_data(found)}, row)
    report.finish(("picture", "found", "probability"))


def _diagnose_file(restorer: Restorer[Diagnosis], source: Path) -> Diagnosis:
    from undegrade.images import read_picture

    return restorer.diagnose(read_picture(source))
