"""`undegrade hub`: models to and from the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from undegrade.cli.output import show
from undegrade.errors import UndegradeError

app = typer.Typer(help="A model as a folder in the layout of the Hugging Face Hub, and onto it.", no_args_is_help=True)


@app.command()
def save(
    model: Annotated[str, typer.Argument(help="A shipped model, or a .safetensors file of undegrade.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to make.")],
    card: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Markdown about the model.")] = None,
    license: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the weights, as the Hub calls it; our own are apache-2.0.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Write config.json, model.safetensors, the card, the export and the calibration into a folder. Needs PyTorch."""
    from undegrade.inference.hub import save_folder
    from undegrade.inference.models import MODELS, find_model

    known = MODELS.get(model)
    if license is None and known is None:
        raise UndegradeError("--license: not given; say what the weights may be used for, such as --license apache-2.0")
    files = save_folder(
        find_model(model).with_suffix(".safetensors"),
        out,
        license=license or "apache-2.0",
        card=card or (known.card if known else None),
    )
    record = {"output": str(out), "files": [file.name for file in files]}
    rows = [(file.name, f"{file.stat().st_size / 1e6:.2f}") for file in files]
    show([record], ("file", "MB"), rows, as_json=as_json)


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(help="Written by undegrade hub save.")],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the Hub.")],
    private: Annotated[bool, typer.Option(help="Make a private one.")] = False,
) -> None:
    """Put a folder onto the Hub, with the token that huggingface_hub knows (hf auth login, or HF_TOKEN)."""
    from undegrade.inference.hub import push_folder

    typer.echo(push_folder(folder, repository, private=private))
