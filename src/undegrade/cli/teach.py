"""`undegrade teach`: add a kind of degradation from a few pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undegrade.cli.output import progress, show
from undegrade.errors import UndegradeError
from undegrade.inference.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from undegrade.api import Restorer
    from undegrade.diagnosis.head import Head, Numbers

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


def teach(
    name: Annotated[str, typer.Argument(help="Of the kind, such as lens_flare.")],
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Pictures that show it, 1 to 20; others are not looked at.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Forget the kind.")] = False,
    model: Annotated[str, typer.Option(metavar="NAME|PATH", help="A model with a calibration.")] = DEFAULT_MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Teach a model to name one more kind of degradation, from examples; nothing is trained, and it cannot repair it.

    What was taught lies in NAME.taught.npz beside the model; --remove takes a kind out again.
    """
    from undegrade.api import Restorer
    from undegrade.diagnosis import Gate
    from undegrade.diagnosis.taught import read_taught, save_taught
    from undegrade.inference.models import find_model, taught_of

    restorer, path = Restorer(model), taught_of(find_model(model))
    gate = restorer.judge
    if not isinstance(gate, Gate):
        raise UndegradeError(f"{model}: has no calibration beside it, so it cannot be taught; see undegrade calibrate")
    if not NAME.fullmatch(name) or name in (*gate.head.kinds, "clean", "unknown"):
        raise UndegradeError(f"{name!r}: expected a new name of small letters, digits and _, such as lens_flare")
    known = read_taught(path)
    if remove and name not in known.names:
        raise UndegradeError(f"{name}: was not taught; taught are {', '.join(known.names) or 'none'}")
    if not remove and folder is None:
        raise UndegradeError(f"{name}: no examples; give a folder of pictures that show it")
    made = known.without(name) if folder is None else known.with_kind(name, _places(folder, restorer, gate.head))
    try:
        save_taught(made, path)
    except OSError as error:
        raise UndegradeError(
            f"{path}: cannot be written ({error.strerror}); copy the model to a folder of yours"
        ) from None
    records = [{"kind": kind, "examples": len(own)} for kind, own in zip(made.names, made.examples, strict=True)]
    rows = [(str(record["kind"]), str(record["examples"])) for record in records]
    show(records, ("taught kind", "examples"), rows, as_json=as_json)


def _places(folder: Path, restorer: Restorer, head: Head) -> Numbers:
    """Where the pictures of a folder lie, (n, E)."""
    import numpy as np

    from undegrade.diagnosis.taught import MOST
    from undegrade.images import read_picture
    from undegrade.inference.jobs import find_inputs

    sources, failures = find_inputs([folder])
    if failures or not sources:
        raise UndegradeError(failures[0].reason if failures else f"{folder}: holds no pictures")
    places = []
    with progress(min(MOST, len(sources))) as advance:
        for number, source in enumerate(sources[:MOST], start=1):
            embedding = head.read(restorer.look(read_picture(source)).contexts).embedding
            places.append(head.places(embedding).mean(0))
            advance(number)
    return np.stack(places)
