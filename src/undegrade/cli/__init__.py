"""The command line: one file per verb, put together here.

Verbs import what they need inside their functions, so that `--help` answers at once. Exit codes: 0 done, 1 some inputs
failed and the others were done, 2 the command cannot be carried out as given.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from undegrade import __version__
from undegrade.cli import (
    calibrate,
    catalogue,
    data,
    degrade,
    diagnose,
    evaluate,
    export,
    hub,
    importing,
    inspect,
    probe,
    restore,
    serve,
    teach,
    train,
    video,
    web,
)
from undegrade.errors import UndegradeError
from undegrade.inference.extras import needs_train

MALLOPT_TRIM_THRESHOLD, MALLOPT_MMAP_THRESHOLD = -1, -3  # of malloc.h
LARGE_ARRAY = 4 << 20  # bytes: a tile's planes are smaller, and asking for each anew would take twice as long
LEAN = ("restore", "diagnose", "video")  # verbs that keep to a budget; PyTorch is a third slower if memory is returned

app = typer.Typer(
    help="Restores any picture: names what is wrong with it and repairs it, offline, on a plain CPU.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich help takes half as long again to appear
)
for verb in (
    restore.restore,
    video.video,
    diagnose.diagnose,
    degrade.degrade,
    train.train,
    evaluate.evaluate,
    probe.probe,
    inspect.inspect,
    teach.teach,
    calibrate.calibrate,
    export.export,
    serve.serve,
    web.web,
    catalogue.models,
    catalogue.recipes,
    catalogue.degradations,
):
    app.command()(verb)
app.command("import")(importing.import_)  # a word that no function may have
app.add_typer(data.app, name="data")
app.add_typer(hub.app, name="hub")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"undegrade {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of an internal error.")] = False,
) -> None:
    """Restores any picture: names what is wrong with it and repairs it, offline, on a plain CPU."""
    context.obj = debug


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    verb = next((argument for argument in given if not argument.startswith("-")), "")
    # Of NumPy, whose threads wait for work by turning in circles, on cores that are busy with other parts of a picture.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if verb in LEAN:
        _return_memory()
    try:
        with needs_train(f"undegrade {verb}"):
            app(args=given, prog_name="undegrade")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except UndegradeError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"error: internal error ({what}); please report it", file=sys.stderr)
        if "--debug" in given:
            traceback.print_exc()
        return 1
    return 0


def _return_memory() -> None:
    """Large arrays go back to the system when they are dropped: glibc would keep those below 32 MB for later.

    Of small ones as much as a large one takes is kept, or each tile would have to ask for them anew.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        for setting in (MALLOPT_MMAP_THRESHOLD, MALLOPT_TRIM_THRESHOLD):
            ctypes.CDLL(None).mallopt(setting, LARGE_ARRAY)
