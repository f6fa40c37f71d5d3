"""`undegrade export`: turn a checkpoint into a model that runs without PyTorch."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from undegrade.cli.output import Report
from undegrade.inference.models import DEFAULT_MODEL, MODELS


def export(
    context: typer.Context,
    checkpoint: Annotated[
        Path | None, typer.Argument(help="Written by undegrade train; else that of the shipped model.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="PATH", help="The .xml to write, or a folder; else beside the checkpoint."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Turn a checkpoint into an OpenVINO model, an .xml and a .bin file. Needs PyTorch."""
    from undegrade.inference.batch import Failure, attempt
    from undegrade.inference.export import export as write

    source = checkpoint or MODELS[DEFAULT_MODEL].path.with_suffix(".safetensors")
    target = source.with_suffix(".xml") if out is None else out
    if target.is_dir():
        target = target / f"{source.stem}.xml"
    report = Report(debug=context.obj, as_json=as_json)
    outcome = attempt(source, partial(write, source, target))
    if isinstance(outcome, Failure):
        report.fail(outcome)
    else:
        num_bytes = sum(path.stat().st_size for path in (target, target.with_suffix(".bin")))
        record = {"input": str(source), "output": str(target), "bytes": num_bytes}
        report.add(record, (str(source), str(target), f"{num_bytes / 1e6:.1f}"))
    report.finish(("checkpoint", "model", "MB with its .bin"))
