"""`undegrade restore -`: a picture from stdin, or to stdout, or both."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from undegrade.cli.batching import describe, remark_of
from undegrade.errors import UndegradeError
from undegrade.inference.jobs import Job

if TYPE_CHECKING:
    from undegrade.diagnosis import Diagnosis
    from undegrade.images import Limits
    from undegrade.inference.batch import Done, Output
    from undegrade.inference.restorer import Restorer

PIPE = "-"


def through_pipes(
    restorer: Restorer[Diagnosis],
    given: Path,
    out: str | None,
    form: str | None,
    *,
    overwrite: bool,
    limits: Limits,
    output: Output,
) -> None:
    """Restores what comes from stdin, or a file to stdout.

    Args:
        restorer: of the picture.
        given: "-", or a file.
        out: a file, or None or "-" for stdout.
        form: to write, such as "png"; None takes that of the input, or PNG where it is only read.
        overwrite: replace the file if it exists.
        limits: how large it may be.
        output: how it is written.

    Raises:
        UndegradeError: the picture cannot be read, restored or written.
    """
    from undegrade.images.files import natural_suffix
    from undegrade.inference.batch import restore_file

    _check_ends(given, out, overwrite=overwrite)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "stdin" if given == Path(PIPE) else given
        if source != given:
            with source.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            ending = f".{form}" if form else natural_suffix(source)
            target = Path(folder) / f"out{ending}" if out in (None, PIPE) else Path(str(out))
            done = restore_file(restorer, Job(source=source, target=target), limits=limits, output=output)
        except UndegradeError as error:
            message = str(error) if source == given else str(error).replace(str(source), "stdin")
            raise UndegradeError(message.replace(str(Path(folder) / "out"), "stdout")) from None
        if out in (None, PIPE):
            with target.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    _say(Job(source=given if source == given else Path("stdin"), target=target), done)


def _say(job: Job, done: Done[Diagnosis]) -> None:
    """What became of the picture, on stderr, as stdout may be the picture."""
    record, (_, found, what, _, seconds) = describe(job, done)
    print(f"{found}: {what} in {seconds} s", file=sys.stderr)
    for note in (remark_of(record), *done.notes):
        if note:
            print(f"note: {note}", file=sys.stderr)


def _check_ends(given: Path, out: str | None, *, overwrite: bool) -> None:
    """Refuse to wait for a person's typing, to print a picture, or to replace a file unasked."""
    from undegrade.inference.placing import check_place

    if out not in (None, PIPE):
        check_place(Job(source=given, target=Path(str(out))), overwrite=overwrite)
    elif sys.stdout.isatty():
        raise UndegradeError("-: stdout is a terminal; name a file with --out, or send it on, as in ... > photo.png")
    if given == Path(PIPE) and sys.stdin.isatty():
        raise UndegradeError("-: stdin is a terminal; expected a picture, as in undegrade restore - < photo.png")
