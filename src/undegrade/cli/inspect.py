"""`undegrade inspect`: what is inside a model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.output import show
from undegrade.errors import UndegradeError
from undegrade.inference.models import MODELS, PUBLISHED, find_model

if TYPE_CHECKING:
    from undegrade.evaluation.inspection import Inspection

SLOWEST = 10  # layers in the table


def inspect(
    model: Annotated[str, typer.Argument(help="A shipped model, or a .safetensors file.")],
    out: Annotated[Path | None, typer.Option("--html", metavar="OUT", help="Also write a page with charts.")] = None,
    side: Annotated[int, typer.Option(min=16, max=4096, help="Of the square picture that is run, pixels.")] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with every layer instead of tables.")] = False,
) -> None:
    """Tell a model's size, where its time goes, what its filters are worth and how far it sees. Needs PyTorch."""
    path = _checkpoint(model)
    if out and out.suffix.lower() not in (".html", ".htm"):
        raise UndegradeError(f"{out}: unknown ending {out.suffix!r}; expected .html")
    from undegrade.evaluation.inspection import inspect as look
    from undegrade.evaluation.inspection_page import summary, write_page
    from undegrade.networks.checkpoint import load_checkpoint

    found = look(path.stem, load_checkpoint(path), side=side)
    if out:
        write_page(found, out)
    if as_json:
        typer.echo(json.dumps(_data(found), indent=2))
        return
    show([], ("what", "how much"), summary(found), as_json=False)
    slowest = sorted(found.layers, key=lambda layer: -layer.seconds)[:SLOWEST]
    rows = [
        (
            x.name,
            x.kind,
            f"{x.parameters}",
            f"{x.macs / 1e6:.1f}",
            f"{x.seconds * 1000:.2f}",
            f"{x.share:.1%}",
        )
        for x in slowest
    ]
    show([], ("slowest layers", "kind", "parameters", "M multiply-adds", "ms", "share"), rows, as_json=False)
    judged = [
        (x.name, x.verdict or "sparse", f"{x.num_degenerate} of {x.num_filters}", f"{x.entropy:.3f}")
        for x in found.filters
        if x.num_degenerate
    ]
    show([], ("degenerate filters", "verdict", "how many", "entropy"), judged, as_json=False)


def _checkpoint(model: str) -> Path:
    """The .safetensors file of a shipped model, or the given one."""
    path = find_model(model)
    if model in MODELS:
        return path.with_suffix(".safetensors")
    suffix = path.suffix.lower()
    if suffix in PUBLISHED:
        raise UndegradeError(f"{path}: expected a .safetensors file; make one by undegrade import {path}")
    if suffix != ".safetensors":
        raise UndegradeError(
            f"{path}: an exported model has no layers left to inspect; give the checkpoint that it was exported from, "
            f"{path.with_suffix('.safetensors').name}"
        )
    return path


def _data(found: Inspection) -> dict[str, Any]:
    """All that was found, as JSON-like data."""
    data = asdict(found)
    data["field"] = found.field
    for name in ("num_filters", "sparse_share", "degenerate_share", "mean_entropy", "rank_share"):
        data[name] = getattr(found, name)
    return data
