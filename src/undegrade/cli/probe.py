"""`undegrade probe`: what the features of networks tell of degradations."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.output import progress, show
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.networks import UniversalRestorer

PROBE_MODULES = {"sklearn", "matplotlib"}  # brought by undegrade[probe]


def probe(
    models: Annotated[list[Path], typer.Argument(metavar="CHECKPOINT", help="One or more .safetensors files.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of clean photographs.")],
    degradation: Annotated[
        list[str] | None, typer.Option(metavar="SPEC", help="What they are spoiled by; else the ten of DCPT.")
    ] = None,
    pictures: Annotated[int, typer.Option(min=6, help="Photographs at most.")] = 100,
    fresh: Annotated[bool, typer.Option(help="Also probe the first network with random weights.")] = False,
    flat: Annotated[bool, typer.Option(help="Flatten the features, as the paper does (much memory).")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="PNG", help="Also draw them by t-SNE.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure how well degradations are read off the decoder features of networks, which are not trained for it."""
    try:
        import sklearn  # noqa: F401  # before the features are computed

        from undegrade.degradations import TEN, find_step
        from undegrade.evaluation.probe import degraded_crops, draw, features_of
        from undegrade.evaluation.probe import probe as measure
        from undegrade.images import read_picture
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PROBE_MODULES:
            raise
        raise UndegradeError(
            f"undegrade probe needs the extra probe ({error.name} is not installed): pip install 'undegrade[probe]'"
        ) from None
    steps = [find_step(text) for text in degradation or TEN]
    loaded = _load(models, fresh)
    photos = [read_picture(path).pixels for path in _photos(data, pictures)]
    crops, ways = degraded_crops(photos, steps)
    found = []
    with progress(len(loaded)) as advance:
        for number, (name, model) in enumerate(loaded.items(), start=1):
            found.append(measure(name, features_of(model, crops, flat=flat), ways))
            advance(number)
    names = ["clean", *(step.label for step in steps)]
    if out:
        draw(found, ways, names, out)
    records = [{k: v for k, v in asdict(one).items() if k != "places"} for one in found]
    if as_json:
        chance = 1 / len(names)
        typer.echo(
            json.dumps({"photographs": len(photos), "labels": names, "chance": chance, "models": records}, indent=2)
        )
    else:
        rows = [
            (one.model, f"{one.knn:.1%} +- {one.knn_deviation:.1%}", f"{one.linear:.1%} +- {one.linear_deviation:.1%}")
            for one in found
        ]
        show([], ("model", "5 nearest neighbours", "linear"), rows, as_json=False)


def _photos(data: Path, most: int) -> list[Path]:
    from undegrade.images import find_pictures

    paths = find_pictures(data)[:most]
    if len(paths) < 6:
        raise UndegradeError(f"{data}: {len(paths)} photographs; expected at least 6, of which a third is held out")
    return paths


def _load(models: list[Path], fresh: bool) -> dict[str, UniversalRestorer]:
    """The models by name, the shortest names that tell them apart; a fresh one first."""
    import torch

    from undegrade.networks import DegradationClassifier
    from undegrade.networks.checkpoint import load_checkpoint
    from undegrade.networks.universal import UniversalRestorer

    stems = [path.stem for path in models]
    names = stems if len(set(stems)) == len(stems) else [f"{path.parent.name}/{path.stem}" for path in models]
    loaded = {name: load_checkpoint(path) for name, path in zip(names, models, strict=True)}
    if not fresh:
        return loaded
    first = next(iter(loaded.values()))
    torch.manual_seed(0)
    kind: Any = type(first.network)  # each takes its own Config
    network = kind(first.network.config)
    return {"random weights": UniversalRestorer(network, DegradationClassifier.Config(), ("clean",)).eval(), **loaded}
