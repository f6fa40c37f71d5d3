"""`undegrade evaluate`: measure a model on pictures."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.output import show
from undegrade.errors import UndegradeError
from undegrade.inference.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from undegrade.data.folder import PictureSet
    from undegrade.evaluation.run import Row

RULER = "ruler undegrade: RGB, 8 bits, whole crop, clean pictures left alone"
COLUMNS = ("degradation", "pictures", "PSNR in", "PSNR out", "gain dB", "SSIM in", "SSIM out", "named", "worse")


def evaluate(
    data: Annotated[
        str, typer.Option(metavar="DIR[:LAYOUT]", help="Folder of clean pictures or of pairs, a pack, or shards.")
    ],
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="A shipped model, or a .xml or .safetensors file.")
    ] = DEFAULT_MODEL,
    crop: Annotated[int, typer.Option(min=16, help="Side of the centre crop of clean pictures, pixels.")] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Restore degraded pictures whose clean version is known, and print the mean PSNR and SSIM before and after."""
    rows = measure_folder(data, model, crop)
    name = _name_of(data)
    if as_json:
        table = [{**asdict(row), "gain": row.gain} for row in rows]
        record = {"data": name, "model": model, "ruler": RULER, "crop": crop, "rows": table}
        typer.echo(json.dumps(record, indent=2, allow_nan=False))
    else:
        typer.echo(f"{model} on {name} ({RULER})")
        show([], COLUMNS, _cells(rows), as_json=False)


def measure_folder(data: str, model: str, crop: int) -> list[Row]:
    """One row a degradation for clean pictures; for pairs one row, or one for each label that their layout knows."""
    from undegrade.api import load
    from undegrade.data.decoding import PixelCache
    from undegrade.data.folder import open_set
    from undegrade.data.pairs import label_counts, parse_place
    from undegrade.evaluation.run import Picture, evaluate, measure
    from undegrade.evaluation.suite import Suite
    from undegrade.images import Picture as Photo

    folder, layout = parse_place(data)
    pictures = open_set(folder, layout, cache=PixelCache(0))  # each is looked at once
    restorer = load(model)

    def restore(picture: Picture) -> tuple[Picture, str | None]:
        print(".", end="", file=sys.stderr, flush=True)
        restored = restorer.restore(Photo(pixels=picture))
        return restored.picture.pixels, restored.diagnosis.label if restored.diagnosis else None

    if pictures.paired:
        rows = [
            measure(restore, _pairs(pictures, label), label=label or _name_of(data), truth=None)
            for label in label_counts(pictures.pairs)
        ]
    else:
        rows = evaluate(restore, (clean for _, clean in _pairs(pictures, None)), Suite(crop=crop))
    print(file=sys.stderr)
    return rows


def _name_of(data: str) -> str:
    from undegrade.data.pairs import parse_place

    return parse_place(data)[0].resolve().name


def _pairs(pictures: PictureSet, label: str | None) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The pairs of a label as (3, H, W) in [0, 1], large enough for the ruler."""
    from undegrade.images.picture import to_unit
    from undegrade.metrics import WINDOW

    for number, pair in enumerate(pictures.pairs):
        if pair.label != label:
            continue
        degraded, clean = pictures.load(number)
        _, height, width = clean.shape
        if min(height, width) < WINDOW:
            path = pictures.root / pair.clean
            raise UndegradeError(f"{path}: {width} x {height} pixels; SSIM needs at least {WINDOW} x {WINDOW}")
        yield to_unit(degraded), to_unit(clean)


def _cells(rows: list[Row]) -> list[tuple[str, ...]]:
    """The table's rows, and one of means where there are several degradations."""
    from undegrade.batch import CLEAN

    table = [_line(row.label, str(row.pictures), asdict(row)) for row in rows]
    spoiled = [asdict(row) for row in rows if row.label != CLEAN]
    if len(spoiled) > 1:
        numbers = ("psnr_in", "psnr_out", "ssim_in", "ssim_out", "named", "worse")
        given = {name: [row[name] for row in spoiled if row[name] is not None] for name in numbers}
        means = {name: sum(values) / len(values) if values else None for name, values in given.items()}
        table.append(_line("mean of the degradations", "", means))
    return table


def _line(label: str, pictures: str, values: dict[str, Any]) -> tuple[str, ...]:
    before, after = values["psnr_in"], values["psnr_out"]
    named = "" if values["named"] is None else f"{values['named']:.0%}"
    decibels = (f"{before:.2f}", f"{after:.2f}", f"{after - before:+.2f}")
    return (label, pictures, *decibels, f"{values['ssim_in']:.3f}", f"{values['ssim_out']:.3f}", named,
            f"{values['worse']:.0%}")  # fmt: skip
