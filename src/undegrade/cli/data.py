"""`undegrade data`: check, pack and shard what a model is trained and measured on. Needs no PyTorch."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undegrade.cli.output import progress, show
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from undegrade.data.check import Checked

SHOWN = 10  # problems of each kind in the report for people; --json has all

app = typer.Typer(
    help="Check, pack and shard folders of pictures and pairs.", no_args_is_help=True, rich_markup_mode=None
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of clean pictures, or of pairs.")]
LayoutName = Annotated[
    str | None, typer.Option("--layout", metavar="NAME", help="How the pairs lie (docs/data.md); else found out.")
]


@app.command()
def check(
    folder: Folder,
    layout: LayoutName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Decode every picture and say what is wrong: lone, unequal, damaged, doubled ones. Exit code 1 if anything is."""
    from undegrade.data.check import check as check_set

    _refuse_made(folder)
    with ExitStack() as stack:
        checked = check_set(folder, layout, _bar(stack))
    if as_json:
        record = {"data": str(folder), "sound": not checked.problems, **asdict(checked)}
        typer.echo(json.dumps(record, indent=2))
    else:
        _print(folder, checked)
    if checked.problems:
        raise typer.Exit(1)


@app.command()
def pack(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="PACK", help="Folder to write; must not exist.")],
    layout: LayoutName = None,
) -> None:
    """Decode a set once, into a folder that training reads without decoding: three bytes a pixel."""
    from undegrade.data.pack import write_pack
    from undegrade.data.pairs import find_whole

    _refuse_made(folder)
    found = find_whole(folder, layout)
    with progress(len({name for pair in found.pairs for name in (pair.degraded, pair.clean)})) as advance:
        write_pack(found, out, advance)
    typer.echo(out)


@app.command()
def shard(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder to write; must not exist.")],
    size_mb: Annotated[float, typer.Option(min=1, help="Largest size of a tar file, MB.")] = 500,
    layout: LayoutName = None,
) -> None:
    """Copy a set's files into tar files in the WebDataset convention: few large files instead of many small ones."""
    from undegrade.data.pairs import find_whole
    from undegrade.data.shards import write_shards

    _refuse_made(folder)
    found = find_whole(folder, layout)
    with progress(len(found.pairs)) as advance:
        write_shards(found, out, size_mb=size_mb, advance=advance)
    typer.echo(out)


def _refuse_made(folder: Path) -> None:
    """Refuse what these commands write themselves."""
    from undegrade.data.pack import is_pack
    from undegrade.data.shards import is_sharded

    if is_pack(folder) or is_sharded(folder):
        what = "a pack" if is_pack(folder) else "a folder of shards"
        raise UndegradeError(f"{folder}: {what}; expected picture files, name the folder that it was made from")


def _bar(stack: ExitStack) -> Callable[[float, int], None]:
    """A bar that appears at the first picture, when their number is known."""
    bars: list[Callable[[float], None]] = []

    def advance(done: float, count: int) -> None:
        if not bars:
            bars.append(stack.enter_context(progress(count)))
        bars[0](done)

    return advance


def _print(folder: Path, checked: Checked) -> None:
    """The report for people."""
    from undegrade.data.check import KINDS

    what = "pairs" if checked.paired else "pictures"
    sizes = f"{checked.pictures} files, {checked.pixels / 1e6:.1f} million pixels"
    typer.echo(f"{folder}: layout {checked.layout}, {sizes}")
    rows = [
        (
            row.label or "-",
            str(row.pairs),
            f"{row.pixels / 1e6:.1f}",
            *(f"{width} x {height}" for height, width in (row.smallest, row.largest)),
        )
        for row in checked.rows
    ]
    show([], ("label", what, "million pixels", "smallest", "largest"), rows, as_json=False)
    counts = Counter(problem.kind for problem in checked.problems)
    for kind, about in KINDS.items():
        if not counts[kind]:
            continue
        typer.echo(f"{about}: {counts[kind]}")
        lines = [f"  {p.picture}: {' '.join(p.detail.split())}" for p in checked.problems if p.kind == kind]
        for line in lines[:SHOWN]:
            typer.echo(line.encode(errors="surrogateescape").decode(errors="replace"))
        if len(lines) > SHOWN:
            typer.echo(f"  and {len(lines) - SHOWN} more; --json lists all")
    if checked.others:
        typer.echo(
            f"note: {len(checked.others)} pictures belong to no pair by this layout, such as {checked.others[0]}"
        )
    if not checked.problems:
        typer.echo("nothing is wrong")
