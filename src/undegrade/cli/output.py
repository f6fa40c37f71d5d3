"""What all verbs print: results on stdout, errors, notes and progress on stderr."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from undegrade.inference.jobs import Failure

LINES_VERSION = 1  # of the layout of JSON lines
PIPE_WIDTH = 1000  # characters of a table's line where stdout is no terminal, so that nothing is folded


class Report:
    """Collects what became of each input, and ends the command.

    Args:
        debug: print the traceback of an internal error.
        as_json: print JSON instead of a table: one array at the end, or
        in_lines: one object a line, each as soon as its input is done, with the `version` of their layout.
    """

    def __init__(self, *, debug: bool, as_json: bool, in_lines: bool = False) -> None:
        self.debug, self.as_json, self.in_lines = debug, as_json, as_json and in_lines
        self.records: list[dict[str, Any]] = []
        self.rows: list[tuple[str, ...]] = []
        self.failed = False

    def add(self, record: dict[str, Any], row: tuple[str, ...]) -> None:
        """One input that was done: as JSON-like data, and as the cells of a table's row."""
        self._keep(record)
        self.rows.append(row)
        for note in record.get("notes", ()):
            self._note(record, note)

    def remark(self, record: dict[str, Any], text: str) -> None:
        """What the record says and the row does not: a line on stderr beside a table; empty: nothing."""
        if text and not self.as_json:
            self._note(record, text)

    def _note(self, record: dict[str, Any], text: str) -> None:
        print(f"note: {record['input']}: {text}", file=sys.stderr)

    def fail(self, failure: Failure) -> None:
        """One input that failed: a line on stderr."""
        self.failed = True
        reason = " ".join(failure.reason.split())
        self._keep({"input": str(failure.source), "error": reason})
        print(f"error: {reason}", file=sys.stderr)
        if self.debug and failure.error:
            traceback.print_exception(failure.error)

    def _keep(self, record: dict[str, Any]) -> None:
        self.records.append(record)
        if self.in_lines:
            self.say(record)

    def say(self, record: dict[str, Any]) -> None:
        """One line of JSON."""
        typer.echo(json.dumps({"version": LINES_VERSION, **record}))

    def summarise(self, counts: Mapping[str, int], megapixels: float, seconds: float) -> None:
        """Says how many were done and how fast: as JSON lines on stdout, else on stderr."""
        speed = {"megapixels": round(megapixels, 3), "seconds": round(seconds, 3)}
        if self.in_lines:
            self.say({"summary": {**counts, **speed}})
            return
        parts = [f"{count} {what}" for what, count in counts.items()]
        print(f"{', '.join(parts)}; {megapixels:.1f} megapixels in {seconds:.1f} s", file=sys.stderr)

    def finish(self, columns: Sequence[str]) -> None:
        """Print the results.

        Raises:
            typer.Exit: with code 1, some inputs failed.
        """
        if not self.in_lines:
            show(self.records, columns, self.rows, as_json=self.as_json)
        if self.failed:
            raise typer.Exit(1)


def show(
    records: Sequence[dict[str, Any]], columns: Sequence[str], rows: Sequence[tuple[str, ...]], *, as_json: bool
) -> None:
    """The records as a JSON array, or the rows as a table, on stdout."""
    if as_json:
        typer.echo(json.dumps(records, indent=2))
    elif rows:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table

        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            # A file name need not be valid text.
            table.add_row(*(cell.encode(errors="surrogateescape").decode(errors="replace") for cell in row))
        width = None if sys.stdout.isatty() else PIPE_WIDTH
        Console(width=width, markup=False, highlight=False, emoji=False).print(table)


@contextmanager
def progress(count: int) -> Iterator[Callable[[float], None]]:
    """A bar over `count` inputs on stderr, with the time left and how many come in a minute, only on a terminal.

    Yields a function told how many are done, parts too.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[speed]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=count, speed="")

        def advance(done: float) -> None:
            elapsed = bar.tasks[task].elapsed or 0
            bar.update(task, completed=done, speed=f"{60 * done / elapsed:.1f}/min" if elapsed > 1 else "")

        yield advance


@contextmanager
def training_progress(steps: int, *, shown: bool) -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    """A bar with the time left over the steps of a training, only on a terminal, and lines above it, all on stderr.

    Args:
        steps: of all stages.
        shown: whether there shall be a bar at all; of several processes, one has it.

    Yields a function told how many steps are done, and one that prints a line.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda done: None, lambda text: print(text, file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True, markup=False, highlight=False)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=steps)
        begun = False

        def advance(done: int) -> None:
            nonlocal begun
            # The steps of a run that is resumed took no time today: the time left is guessed from what follows.
            bar.update(task, completed=done) if begun else bar.reset(task, completed=done)
            begun = True

        yield advance, console.print
