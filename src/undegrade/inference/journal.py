"""What of a batch is done already, in an SQLite file beside the results, so that a run that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.inference.header import file_sha256
from undegrade.inference.jobs import Job

NAME = ".undegrade-journal.sqlite"
TABLE = """CREATE TABLE IF NOT EXISTS results (
    target TEXT PRIMARY KEY,  -- where the result is
    facts TEXT NOT NULL,      -- hash of the input's content, the model and the options
    size INTEGER,             -- of the result, bytes; NULL from the time that it is begun until it is done
    changed_ns INTEGER,       -- when the result was written
    record TEXT               -- what was reported
)"""


class Journal:
    """The results of one command, each with all that it depends on.

    Args:
        database: an open connection.
        options: of the command, the model among them.
    """

    def __init__(self, database: sqlite3.Connection, options: Mapping[str, object]) -> None:
        self.database, self.options = database, json.dumps(options, sort_keys=True)
        self.lock = Lock()  # several threads restore, one at a time notes it
        database.execute(TABLE)

    def find(self, job: Job) -> dict[str, Any] | None:
        """What was reported of this job, if it is done and nothing has changed since: input, options, model, result."""
        row = self._row(job)
        if row is None or row[1] is None or not job.target.exists():
            return None
        facts, size, changed_ns, record = row
        state = job.target.stat()
        if (state.st_size, state.st_mtime_ns) != (size, changed_ns) or facts != self._facts(job):
            return None
        found: dict[str, Any] = json.loads(record)
        return found

    def is_own(self, job: Job) -> bool:
        """Whether what lies at the target is of a run like this one: begun, and perhaps killed before it was noted."""
        row = self._row(job)
        return row is not None and row[1] is None

    def begin(self, job: Job) -> None:
        """Note that the target is about to be written."""
        facts = self._facts(job)
        with suppress(sqlite3.OperationalError), self.lock, self.database:  # a full disk must not stop the work
            self.database.execute(
                "INSERT OR REPLACE INTO results VALUES (?, ?, NULL, NULL, NULL)",
                (os.fsencode(job.target.absolute()), facts),
            )

    def finish(self, job: Job, record: Mapping[str, Any]) -> None:
        """Note that the target is there."""
        state = job.target.stat()
        with suppress(sqlite3.OperationalError), self.lock, self.database:  # a full disk must not stop the work
            self.database.execute(
                "UPDATE results SET size = ?, changed_ns = ?, record = ? WHERE target = ?",
                (state.st_size, state.st_mtime_ns, json.dumps(record), os.fsencode(job.target.absolute())),
            )

    def _row(self, job: Job) -> tuple[Any, ...] | None:
        query = "SELECT facts, size, changed_ns, record FROM results WHERE target = ?"
        with self.lock:
            row: tuple[Any, ...] | None = self.database.execute(query, (os.fsencode(job.target.absolute()),)).fetchone()
        return row

    def _facts(self, job: Job) -> str:
        # What was restored in place is no longer there to be compared; that nobody has written it since is enough.
        content = "in place" if job.target == job.source else file_sha256(job.source)
        return hashlib.sha256(f"{content} {self.options}".encode()).hexdigest()


@contextmanager
def open_journal(jobs: Sequence[Job], options: Mapping[str, object]) -> Iterator[Journal | None]:
    """The journal of these jobs, in the folder that all results share; None for a single one, which needs none.

    It is only a help: where it cannot be written, there is none.

    Raises:
        UndegradeError: what lies in its place is no journal.
    """
    if len(jobs) < 2:
        yield None
        return
    path = Path(os.path.commonpath([job.target.absolute().parent for job in jobs])) / NAME
    try:
        database = sqlite3.connect(path, timeout=30, check_same_thread=False)
        journal = Journal(database, options)
    except sqlite3.OperationalError:
        yield None
        return
    except sqlite3.DatabaseError as error:
        raise UndegradeError(f"{path}: the journal is damaged ({error}); delete it, then give --overwrite") from None
    try:
        yield journal
    finally:
        database.close()
