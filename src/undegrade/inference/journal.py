"""What of a batch is done already, in an SQLite file beside the results, so that a run that was killed goes on."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.images.content import open_content
from undegrade.inference.header import file_sha256
from undegrade.inference.jobs import Job

NAME = ".undegrade-journal.sqlite"
PARTS = ".undegrade-parts"  # beside the journal: results until they are whole
PATIENCE = 0.5  # seconds for another run to end
TABLE = """CREATE TABLE IF NOT EXISTS finished (
    target TEXT PRIMARY KEY,  -- where the result is, from the journal's folder on
    source TEXT NOT NULL,     -- SHA-256 of the input's content
    options TEXT NOT NULL,    -- of the command, the model among them
    content TEXT NOT NULL,    -- SHA-256 of the result, noted before it takes its place
    size INTEGER NOT NULL,    -- of the result, bytes
    changed_ns INTEGER NOT NULL,  -- when it was written
    record TEXT NOT NULL      -- what was reported
)"""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A whole result on its way to its place.

    Args:
        part: where it is.
        source: SHA-256 of what it was made from.
        content: its own.
    """

    part: Path
    source: str
    content: str


class Journal:
    """The results in one folder, each with all that it depends on.

    A result is noted before it takes its place. What lies there then either is what was noted, and done; or it is not,
    and nobody's business here.

    Args:
        database: an open connection.
        folder: that of the journal; all targets lie in it.
        options: of the command, the model among them.
    """

    def __init__(self, database: sqlite3.Connection, folder: Path, options: Mapping[str, object]) -> None:
        self.database, self.folder, self.options = database, folder, json.dumps(options, sort_keys=True)
        self.lock = Lock()  # several threads restore, one at a time notes it

    def find(self, job: Job) -> dict[str, Any] | None:
        """What was reported of this job, if it is done and nothing has changed since: input, options, model, result."""
        query = "SELECT source, options, content, size, changed_ns, record FROM finished WHERE target = ?"
        with self.lock:
            row = self.database.execute(query, (self._key(job),)).fetchone()
        if row is None or row[1] != self.options or not job.target.is_file() or job.target.is_symlink():
            return None
        source, _, content, size, changed_ns, record = row
        state = job.target.stat()
        if state.st_size != size or (state.st_mtime_ns != changed_ns and file_sha256(job.target) != content):
            return None
        # What was restored in place is no longer there to be compared; that nobody has written it since is enough.
        if job.target != job.source and content_sha256(job.source) != source:
            return None
        found: dict[str, Any] = json.loads(record)
        return found

    def note(self, job: Job, finished: Finished, record: Mapping[str, Any]) -> None:
        """Note the result that is about to take its place, which keeps its size and time."""
        state = finished.part.stat()
        row = (self._key(job), finished.source, self.options, finished.content, state.st_size, state.st_mtime_ns)
        with suppress(sqlite3.OperationalError), self.lock, self.database:  # a full disk must not stop the work
            self.database.execute("INSERT OR REPLACE INTO finished VALUES (?,?,?,?,?,?,?)", (*row, json.dumps(record)))

    def _key(self, job: Job) -> bytes:
        """From the folder on, so that the journal stays true where the folder is moved."""
        return os.fsencode(os.path.relpath(job.target.absolute(), self.folder.absolute()))


def content_sha256(source: Path) -> str:
    """SHA-256 of an input's content.

    Raises:
        UndegradeError: it cannot be read, or has no end, such as a pipe.
    """
    with open_content(source):
        return file_sha256(source)


@contextmanager
def open_journals(jobs: Sequence[Job], options: Mapping[str, object]) -> Iterator[dict[Path, Journal]]:
    """The journals of these jobs by their folders, which are this run's alone; single files have none.

    They are only a help: where one cannot be written, there is none.

    Raises:
        UndegradeError: what lies in the place of one is no journal, or a link, or another run is at work there.
    """
    with ExitStack() as stack:
        journals = {}
        for folder in dict.fromkeys(job.home for job in jobs):
            journal = None if folder is None else stack.enter_context(_open(folder, options))
            if journal is not None:
                journals[journal.folder] = journal
        yield journals


@contextmanager
def _open(folder: Path, options: Mapping[str, object]) -> Iterator[Journal | None]:
    path, parts = folder / NAME, folder / PARTS
    for place in (path, parts):
        if place.is_symlink():
            raise UndegradeError(f"{place}: a link stands in the way of the journal; delete it")
    try:
        database = sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False)
    except sqlite3.OperationalError:
        yield None
        return
    try:
        journal = _begun(database, path, options)
        if journal is None:
            yield None
            return
        # This run's alone from here on, so what an earlier one left unfinished may go.
        shutil.rmtree(parts, ignore_errors=True)
        try:
            yield journal
        finally:
            shutil.rmtree(parts, ignore_errors=True)
            _remove_empty(database, path)
    finally:
        with suppress(sqlite3.DatabaseError):
            database.close()


def _begun(database: sqlite3.Connection, path: Path, options: Mapping[str, object]) -> Journal | None:
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")  # the system lets go of it where a run is killed
        database.execute("BEGIN EXCLUSIVE")
        database.execute(TABLE)
        database.commit()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise UndegradeError(f"{path}: another run writes into this folder; wait until it has ended") from None
        return None
    except sqlite3.DatabaseError as error:
        raise UndegradeError(f"{path}: the journal is damaged ({error}); delete it, then give --overwrite") from None
    return Journal(database, path.parent, options)


def _remove_empty(database: sqlite3.Connection, path: Path) -> None:
    """A journal with nothing in it goes, while it is still locked, so that nobody else's does."""
    with suppress(sqlite3.DatabaseError, OSError):
        if database.execute("SELECT count(*) FROM finished").fetchone() == (0,):
            path.unlink(missing_ok=True)


def peek(job: Job, options: Mapping[str, object]) -> dict[str, Any] | None:
    """`Journal.find` that leaves no trace, for a run that only says what it would do.

    Raises:
        UndegradeError: what lies in its place is no journal, or another run is at work there.
    """
    if job.home is None or not (job.home / NAME).is_file():
        return None
    path = job.home / NAME
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)
    try:
        return Journal(database, job.home, options).find(job)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise UndegradeError(f"{path}: another run writes into this folder; wait until it has ended") from None
        return None  # a journal in the making
    except sqlite3.DatabaseError as error:
        raise UndegradeError(f"{path}: the journal is damaged ({error}); delete it, then give --overwrite") from None
    finally:
        database.close()
