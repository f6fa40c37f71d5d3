"""`undegrade restore -`: a picture from stdin to stdout."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from undegrade.cli.batching import describe
from undegrade.errors import UndegradeError
from undegrade.inference.jobs import Job

if TYPE_CHECKING:
    from undegrade.diagnosis import Diagnosis
    from undegrade.images import Limits
    from undegrade.inference.batch import Output
    from undegrade.inference.restorer import Restorer

PIPE = "-"


def through_pipes(
    restorer: Restorer[Diagnosis], out: str | None, form: str | None, *, limits: Limits, output: Output
) -> None:
    """Restores what comes from stdin.

    Args:
        restorer: of the picture.
        out: a file, or None or "-" for stdout.
        form: to write, such as "png"; None takes that of the input, or PNG where it is only read.
        limits: how large it may be.
        output: how it is written.

    Raises:
        UndegradeError: the picture cannot be read, restored or written.
    """
    from undegrade.images import SUFFIXES
    from undegrade.images.formats import find_format
    from undegrade.inference.batch import restore_file

    if sys.stdin.isatty():
        raise UndegradeError("-: stdin is a terminal; expected a picture, as in undegrade restore - < photo.png")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "stdin"
        source.write_bytes(sys.stdin.buffer.read())
        endings = {name: ending for ending, name in reversed(SUFFIXES.items())}
        try:
            ending = f".{form}" if form else endings.get(find_format("stdin", source.read_bytes()), ".png")
            target = Path(folder) / f"out{ending}" if out in (None, PIPE) else Path(str(out))
            done = restore_file(restorer, Job(source=source, target=target), limits=limits, output=output)
        except UndegradeError as error:
            raise UndegradeError(str(error).replace(str(source), "stdin")) from None
        if out in (None, PIPE):
            sys.stdout.buffer.write(target.read_bytes())
            sys.stdout.buffer.flush()
    _, (_, found, what, _, seconds) = describe(Job(source=source, target=target), done)
    print(f"{found}: {what} in {seconds} s", file=sys.stderr)
    for note in done.notes:
        print(f"note: {note}", file=sys.stderr)
