"""`undegrade evaluate`: measure a model on pictures."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.output import show
from undegrade.errors import UndegradeError
from undegrade.inference.models import DEFAULT_MODEL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from undegrade.evaluation.run import Row

RULER = "ruler undegrade: RGB, 8 bits, whole crop, clean pictures left alone"
COLUMNS = ("degradation", "pictures", "PSNR in", "PSNR out", "gain dB", "SSIM in", "SSIM out", "named", "worse")


def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of clean pictures, or with input/ and target/ (pairs).")],
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="A shipped model, or a .xml or .safetensors file.")
    ] = DEFAULT_MODEL,
    crop: Annotated[int, typer.Option(min=16, help="Side of the centre crop of clean pictures, pixels.")] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Restore degraded pictures whose clean version is known, and print the mean PSNR and SSIM before and after."""
    rows = measure_folder(data, model, crop)
    name = data.resolve().name
    if as_json:
        table = [{**asdict(row), "gain": row.gain} for row in rows]
        record = {"data": name, "model": model, "ruler": RULER, "crop": crop, "rows": table}
        typer.echo(json.dumps(record, indent=2, allow_nan=False))
    else:
        typer.echo(f"{model} on {name} ({RULER})")
        show([], COLUMNS, _cells(rows), as_json=False)


def measure_folder(data: Path, model: str, crop: int) -> list[Row]:
    """One row a degradation for a folder of clean pictures; one row in all for a folder of pairs."""
    from undegrade.api import load
    from undegrade.data.folder import find_pairs
    from undegrade.evaluation.run import Picture, evaluate, measure
    from undegrade.evaluation.suite import Suite
    from undegrade.images import Picture as Photo
    from undegrade.images import find_pictures

    restorer = load(model)

    def restore(picture: Picture) -> tuple[Picture, str]:
        print(".", end="", file=sys.stderr, flush=True)
        restored = restorer.restore(Photo(pixels=picture))
        return restored.picture.pixels, restored.diagnosis.label

    if (data / "input").is_dir() and (data / "target").is_dir():
        pairs = (_read_pair(degraded, clean) for degraded, clean in find_pairs(data))
        rows = [measure(restore, pairs, label=data.resolve().name, truth=None)]
    else:
        pictures = (_read(path) for path in find_pictures(data))
        rows = evaluate(restore, pictures, Suite(crop=crop))
    print(file=sys.stderr)
    return rows


def _read(path: Path) -> NDArray[np.float32]:
    from undegrade.images import read_picture
    from undegrade.metrics import WINDOW

    pixels = read_picture(path).pixels
    _, height, width = pixels.shape
    if min(height, width) < WINDOW:
        raise UndegradeError(f"{path}: {width} x {height} pixels; SSIM needs at least {WINDOW} x {WINDOW}")
    return pixels


def _read_pair(degraded: Path, clean: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    pair = _read(degraded), _read(clean)
    (_, height, width), (_, clean_height, clean_width) = (pixels.shape for pixels in pair)
    if (height, width) != (clean_height, clean_width):
        raise UndegradeError(
            f"{degraded}: {width} x {height} pixels, but {clean} has {clean_width} x {clean_height}; "
            "the two must be of one size"
        )
    return pair


def _cells(rows: list[Row]) -> list[tuple[str, ...]]:
    """The table's rows, and one of means where there are several degradations."""
    from undegrade.batch import CLEAN

    table = [_line(row.label, str(row.pictures), asdict(row)) for row in rows]
    spoiled = [asdict(row) for row in rows if row.label != CLEAN]
    if len(spoiled) > 1:
        numbers = ("psnr_in", "psnr_out", "ssim_in", "ssim_out", "named", "worse")
        means = {name: sum(row[name] for row in spoiled) / len(spoiled) for name in numbers}
        table.append(_line("mean of the degradations", "", means))
    return table


def _line(label: str, pictures: str, values: dict[str, Any]) -> tuple[str, ...]:
    before, after = values["psnr_in"], values["psnr_out"]
    named = "" if values["named"] is None else f"{values['named']:.0%}"
    decibels = (f"{before:.2f}", f"{after:.2f}", f"{after - before:+.2f}")
    return (label, pictures, *decibels, f"{values['ssim_in']:.3f}", f"{values['ssim_out']:.3f}", named,
            f"{values['worse']:.0%}")  # fmt: skip
