"""Jobs: pictures that are worked on while nobody waits. They are kept in SQLite and outlive the service."""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.web.orders import Answer, Order

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, model TEXT NOT NULL, wanted TEXT NOT NULL, state TEXT NOT NULL, submitted REAL NOT NULL,
    finished REAL, status INTEGER, report TEXT, result TEXT, error TEXT
)
"""


@dataclass(frozen=True, kw_only=True)
class StoredJob:
    """A job as it stands.

    Args:
        id: cannot be guessed.
        order: what is done.
        finished: seconds since 1970; None while it is not.
        result: name of the file in `Jobs.folder_of`; empty where there is none.
    """

    id: str
    model: str
    order: Order
    state: str
    submitted: float
    finished: float | None = None
    status: int | None = None
    report: dict[str, Any] | None = None
    result: str = ""
    error: str = ""


class Jobs:
    """The jobs in a folder: a database, and for each job a folder with its picture and its result.

    Args:
        folder: made if it is not there.
        keep_seconds: after it is finished, a job and its files are removed.

    Raises:
        UndegradeError: the folder cannot be made, or another service uses it.
    """

    def __init__(self, folder: Path, keep_seconds: float) -> None:
        self.folder, self.keep_seconds = folder, keep_seconds
        self._at_work = ""  # the job; kept nowhere else, so what a service was killed at waits for the next one
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / "jobs").mkdir(exist_ok=True, mode=0o700)
            (folder / "jobs.sqlite").touch(mode=0o600)  # who can read the ids can fetch the pictures
            self._database = sqlite3.connect(
                folder / "jobs.sqlite", timeout=1, isolation_level=None, check_same_thread=False
            )
            self._database.row_factory = sqlite3.Row
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")  # two services would do each other's jobs
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute(TABLE)
        except (OSError, sqlite3.Error) as error:
            busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            why = "another service has its jobs there" if busy else error
            raise UndegradeError(
                f"{folder}: cannot hold the service's jobs ({why}); choose another folder with --state"
            ) from None
        self._forget_strangers()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def folder_of(self, job_id: str) -> Path:
        """Where a job's picture and result lie; the id is one that `new_folder` or the database gave."""
        return self.folder / "jobs" / job_id

    def new_folder(self) -> tuple[str, Path]:
        """The id and the folder of a job to be."""
        job_id = secrets.token_hex(16)
        folder = self.folder_of(job_id)
        folder.mkdir(parents=True, mode=0o700)
        return job_id, folder

    def add(self, job_id: str, model: str, order: Order) -> StoredJob:
        """Take on a job whose picture lies in its folder."""
        job = StoredJob(id=job_id, model=model, order=order, state=WAITING, submitted=time.time())
        self._database.execute(
            "INSERT INTO jobs (id, model, wanted, state, submitted) VALUES (?, ?, ?, ?, ?)",
            (job.id, model, json.dumps(asdict(order)), WAITING, job.submitted),
        )
        return job

    def find(self, job_id: str) -> StoredJob | None:
        """The job of that id, if there is one."""
        row = self._database.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return self._job(row) if row else None

    def next(self) -> StoredJob | None:
        """The job that has waited longest, now running; there is one at a time."""
        row = self._database.execute("SELECT * FROM jobs WHERE finished IS NULL ORDER BY submitted").fetchone()
        self._at_work = row["id"] if row else ""
        return self._job(row) if row else None

    def finish(self, job_id: str, answer: Answer) -> None:
        """Keep the answer; the picture is not needed any more."""
        state = DONE if answer.status == 200 else FAILED
        report = json.dumps(answer.report) if answer.report is not None else None
        self._database.execute(
            "UPDATE jobs SET state = ?, finished = ?, status = ?, report = ?, result = ?, error = ? WHERE id = ?",
            (state, time.time(), answer.status, report, Path(answer.target).name, answer.error, job_id),
        )
        self._at_work = ""
        (self.folder_of(job_id) / "picture").unlink(missing_ok=True)

    def remove(self, job_id: str) -> None:
        """Forget a job that is not running, and its files."""
        shutil.rmtree(self.folder_of(job_id), ignore_errors=True)  # first: on a full disk nothing can be written
        self._database.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def expire(self) -> None:
        """Forget what was finished long ago."""
        before = time.time() - self.keep_seconds
        rows = self._database.execute("SELECT id FROM jobs WHERE finished < ?", (before,)).fetchall()
        for row in rows:
            self.remove(row["id"])

    def counts(self) -> dict[str, int]:
        """How many jobs there are in each state."""
        rows = self._database.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state").fetchall()
        counts = dict.fromkeys((WAITING, RUNNING, DONE, FAILED), 0) | dict(rows)
        running = int(bool(self._at_work))
        return counts | {WAITING: counts[WAITING] - running, RUNNING: running}

    def _job(self, row: sqlite3.Row) -> StoredJob:
        wanted = json.loads(row["wanted"])
        values: dict[str, Any] = {}
        for name in (f.name for f in fields(Order) if f.name in wanted):
            values[name] = tuple(wanted[name]) if isinstance(wanted[name], list) else wanted[name]
        order = Order(**values)
        return StoredJob(
            id=row["id"],
            model=row["model"],
            order=order,
            state=RUNNING if row["id"] == self._at_work else row["state"],
            submitted=row["submitted"],
            finished=row["finished"],
            status=row["status"],
            report=json.loads(row["report"]) if row["report"] else None,
            result=row["result"] or "",
            error=row["error"] or "",
        )

    def _forget_strangers(self) -> None:
        """Remove folders that no job owns: uploads that were cut off."""
        known = {row["id"] for row in self._database.execute("SELECT id FROM jobs").fetchall()}
        for folder in (self.folder / "jobs").glob("*"):
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
