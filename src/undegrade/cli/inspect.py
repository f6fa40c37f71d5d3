"""`undegrade inspect`: what a network is made of, what it costs, and whether its weights are used."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undegrade.cli.output import show
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.evaluation.inspection import Layer

COLUMNS = ("layer", "kind", "weight", "parameters", "time", "rank", "sparsity", "entropy (random)", "degenerate")


def inspect(
    model: Annotated[str, typer.Argument(metavar="NAME|CHECKPOINT", help="A shipped model or a .safetensors file.")],
    side: Annotated[int, typer.Option(min=64, help="Of the picture that costs are measured on, pixels.")] = 256,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Count, time and look into the layers of a network."""
    from undegrade.inference.extras import needs_train

    path = _checkpoint(model)
    with needs_train("inspecting"):
        from undegrade.evaluation.inspection import inspect as look
        from undegrade.networks.checkpoint import load_checkpoint
    loaded = load_checkpoint(path)
    multiple = loaded.network.size_multiple
    found = look(loaded, model, side=-(-side // multiple) * multiple, whole=loaded.network.global_statistics)
    if html:
        from undegrade.evaluation.inspection_page import write_inspection

        write_inspection(found, html)
    if as_json:
        typer.echo(json.dumps({**asdict(found), "degenerate": found.degenerate}, indent=2, allow_nan=False))
        return
    typer.echo(f"{found.name}: {found.parameters:,} parameters")
    typer.echo(
        f"{found.multiplications / 1e9:.2f} GMAC and {found.seconds:.3f} s for {found.side} x {found.side} pixels "
        f"(PyTorch float32, {found.threads} threads)"
    )
    seen = ", and by its statistics the whole picture" if found.whole else ""
    typer.echo(f"95 % of what a pixel depends on lies within {found.field} pixels{seen}")
    if found.degenerate is not None:
        typer.echo(f"{found.degenerate:.0%} of the 3 x 3 filters stand in degenerate layers")
    show([], COLUMNS, [_cells(layer, found.seconds) for layer in found.layers], as_json=False)


def _checkpoint(model: str) -> Path:
    from undegrade.inference.models import find_model

    path = find_model(model)
    beside = path.with_suffix(".safetensors")
    if not beside.is_file():
        raise UndegradeError(f"{path}: has no weights by name; expected the .safetensors that it was exported from")
    return beside


def _cells(layer: Layer, whole: float) -> tuple[str, ...]:
    filters = layer.filters
    return (
        layer.name,
        layer.kind,
        " x ".join(map(str, layer.shape)),
        f"{layer.parameters:,}",
        f"{layer.seconds / whole:.1%}",
        "" if layer.rank is None else f"{layer.rank:.1f} of {layer.most}",
        f"{filters.sparsity:.0%}" if filters else "",
        f"{filters.entropy:.2f} ({filters.random:.2f})" if filters else "",
        "" if filters is None or filters.degenerate is None else "yes" if filters.degenerate else "no",
    )
