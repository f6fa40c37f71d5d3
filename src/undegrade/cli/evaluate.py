"""`undegrade evaluate`: measure a model on pictures."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from undegrade.evaluation.run import Row

RULER = "ruler undegrade: RGB, 8 bits, whole crop, clean pictures left alone"


def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of clean pictures, or with input/ and target/ (pairs).")],
    model: Annotated[str, typer.Option(help="Name of a shipped model, or a .xml or .safetensors file.")] = (
        "universal-small"
    ),
    crop: Annotated[int, typer.Option(min=16, help="Side of the centre crop of clean pictures, pixels.")] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Restore degraded pictures whose clean version is known, and print the mean PSNR and SSIM before and after."""
    import json

    rows = measure_folder(data, model, crop)
    if as_json:
        table = [{**asdict(row), "gain": row.gain} for row in rows]
        typer.echo(
            json.dumps({"data": data.name, "model": model, "ruler": RULER, "crop": crop, "rows": table}, indent=2)
        )
    else:
        _print_table(rows, f"{model} on {data.name} ({RULER})")


def measure_folder(data: Path, model: str, crop: int) -> list[Row]:
    """One row a degradation for a folder of clean pictures; one row in all for a folder of pairs."""
    from undegrade.api import load
    from undegrade.data.folder import find_pairs
    from undegrade.evaluation.run import Picture, evaluate, measure
    from undegrade.evaluation.suite import Suite
    from undegrade.images import Picture as Photo
    from undegrade.images import find_pictures, read_picture

    restorer = load(model)

    def restore(picture: Picture) -> tuple[Picture, str]:
        print(".", end="", file=sys.stderr, flush=True)
        restored = restorer.restore(Photo(pixels=picture))
        return restored.picture.pixels, restored.diagnosis.label

    if (data / "input").is_dir() and (data / "target").is_dir():
        pairs = [(read_picture(a).pixels, read_picture(b).pixels) for a, b in find_pairs(data)]
        rows = [measure(restore, pairs, label=data.name, truth=None)]
    else:
        pictures = (read_picture(path).pixels for path in find_pictures(data))
        rows = evaluate(restore, pictures, Suite(crop=crop))
    print(file=sys.stderr)
    return rows


def _print_table(rows: list[Row], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for column in (
        "degradation",
        "pictures",
        "PSNR in",
        "PSNR out",
        "gain dB",
        "SSIM in",
        "SSIM out",
        "named",
        "worse",
    ):
        table.add_column(column, justify="left" if column == "degradation" else "right")
    for row in rows:
        shown = [f"{v:.2f}" for v in (row.psnr_in, row.psnr_out, row.gain)]
        shown += [f"{v:.3f}" for v in (row.ssim_in, row.ssim_out)]
        named = "" if row.named is None else f"{row.named:.0%}"
        table.add_row(row.label, str(row.pictures), *shown, named, f"{row.worse:.0%}")
    spoiled = [row for row in rows if row.label != "clean"]
    if len(spoiled) > 1:
        before, after, gain = (
            sum(getattr(row, name) for row in spoiled) / len(spoiled) for name in ("psnr_in", "psnr_out", "gain")
        )
        table.add_row("mean of the degradations", "", f"{before:.2f}", f"{after:.2f}", f"{gain:.2f}")
    Console().print(table)
