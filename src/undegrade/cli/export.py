"""`undegrade export`: turn a checkpoint into a model that runs without PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from undegrade.cli.output import show
from undegrade.inference.models import DEFAULT_MODEL, MODELS


def export(
    checkpoint: Annotated[
        Path | None, typer.Argument(help="Written by undegrade train; else that of the shipped model.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="The .xml or .onnx file to write, or a folder; else beside the checkpoint.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Turn a checkpoint into an OpenVINO model, an .xml and a .bin file, or into an .onnx file. Needs PyTorch."""
    from undegrade.inference.export import export as write

    source = checkpoint or MODELS[DEFAULT_MODEL].path.with_suffix(".safetensors")
    target = source.with_suffix(".xml") if out is None else out
    if target.is_dir():
        target = target / f"{source.stem}.xml"
    write(source, target)
    files = [target] if target.suffix == ".onnx" else [target, target.with_suffix(".bin")]
    num_bytes = sum(path.stat().st_size for path in files)
    record = {"input": str(source), "output": str(target), "bytes": num_bytes}
    row = (str(source), str(target), f"{num_bytes / 1e6:.1f}")
    show([record], ("checkpoint", "model", "MB in all"), [row], as_json=as_json)
