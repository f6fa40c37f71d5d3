"""What several verbs are asked alike, and how it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[
    list[str],
    typer.Argument(metavar="INPUT", help="Picture files, or folders of them; with --ray one folder or URL."),
]
Ray = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="On a Ray cluster at HOST:PORT; local: one started here."),
]


def as_path(given: str) -> Path:
    """The path of an input.

    Raises:
        UndegradeError: it is the URL of an archive, which needs --ray.
    """
    from undegrade.errors import UndegradeError

    if "://" in given:
        raise UndegradeError(f"{given}: archives are read with --ray; add --ray local, or the address of a cluster")
    return Path(given)


def model_facts(name: str, model: str) -> dict[str, str]:
    """What a record says of undegrade and the model."""
    from undegrade import __version__
    from undegrade.inference.header import file_sha256
    from undegrade.inference.models import find_model

    return {"Software": f"undegrade {__version__}", "Model": name, "ModelSHA256": file_sha256(find_model(model))}
