"""`undegrade web`: a page to drop photos on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def web(
    host: Annotated[str, typer.Option(metavar="NAME", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 7860,
    page: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="A page of evaluate --html, shown in a tab; again for more."),
    ] = [],  # noqa: B006
    browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Show a page to drop photos on. Needs the extra web; nothing leaves the machine. Ends with Ctrl-C."""
    from undegrade.inference.extras import needs_web

    with needs_web("undegrade web"):
        from undegrade.web.page import free_port, launch
    launch(
        host=host,
        port=port or free_port(host),
        pages=page,
        browser=browser,
        on_ready=lambda url: typer.echo(f"undegrade shows its page at {url}  (Ctrl-C ends it)"),
    )
