"""`undegrade serve`: answer over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from undegrade.inference.models import DEFAULT_MODEL

TOKEN = "UNDEGRADE_TOKEN"  # environment


def serve(
    host: Annotated[str, typer.Option(metavar="NAME", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8642,
    name: Annotated[list[str], typer.Option(metavar="HOST", help="Further host name that it goes by.")] = [],  # noqa: B006
    model: Annotated[list[str], typer.Option(metavar="NAME|PATH", help="Again for more; the first is the default.")] = [  # noqa: B006
        DEFAULT_MODEL
    ],
    state: Annotated[Path | None, typer.Option(metavar="DIR", help="Where jobs are kept.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"Ask requests for the token in it; or set {TOKEN}.")
    ] = None,
    queue: Annotated[int, typer.Option(min=1, help="Pictures at work or waiting; more are refused.")] = 32,
    max_bytes: Annotated[str, typer.Option(metavar="SIZE", help="Of a picture file.")] = "256MB",
    max_pixels: Annotated[int, typer.Option(min=1, metavar="COUNT", help="Of a picture.")] = 200_000_000,
    at_once: Annotated[
        int, typer.Option(min=1, metavar="COUNT", help="Pixels; larger pictures become jobs.")
    ] = 24_000_000,
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Of each worker.")] = "2GB",
    seconds: Annotated[float, typer.Option(min=0.1, help="For a picture; its worker is then replaced.")] = 120,
    keep: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Results of jobs are kept so long.")] = 3600,
) -> None:
    """Answer over HTTP: restore, diagnose and degrade pictures. Needs the extra serve; ends with Ctrl-C."""
    from undegrade.errors import UndegradeError
    from undegrade.inference.extras import needs_serve
    from undegrade.inference.memory import parse_size

    with needs_serve("undegrade serve"):
        from undegrade.web.server import serve as run
        from undegrade.web.settings import Settings, read_token
    token = read_token(token_file) if token_file else os.environ.get(TOKEN) or None
    try:
        settings = Settings(
            host=host,
            port=port,
            hosts=tuple(name),
            models=tuple(model),
            state=state,
            token=token,
            queue=queue,
            max_bytes=parse_size(max_bytes),
            max_pixels=max_pixels,
            at_once=at_once,
            memory=parse_size(memory),
            work_seconds=seconds,
            keep_seconds=keep,
        )
    except ValueError as error:
        raise UndegradeError(str(error)) from None
    run(settings, lambda url: typer.echo(f"undegrade answers at {url}  (Ctrl-C ends it)"))
