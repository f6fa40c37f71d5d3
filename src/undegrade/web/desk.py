"""Where orders are taken: it hands them to the workers, and works off the jobs."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.web.gauges import Gauges
from undegrade.web.jobs import WAITING, Jobs, StoredJob
from undegrade.web.orders import Answer, Order
from undegrade.web.settings import Settings
from undegrade.web.workers import Busy, Line, Worker

SWEEP_SECONDS = 10.0  # between looks for jobs that have expired
LOG = logging.getLogger(__name__)
DEGRADER = ""  # the worker without a model, started when it is first asked for


class Desk:
    """The workers, the line before them, and the jobs.

    Args:
        settings: of the service.

    Raises:
        UndegradeError: the folder of the settings cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.gauges, self.line = settings, Gauges(), Line(settings.queue)
        self.jobs = Jobs(settings.folder, settings.keep_seconds)
        self.workers = {
            model: Worker(model, settings, partial(self.gauges.bury, model)) for model in (*settings.models, DEGRADER)
        }
        shutil.rmtree(self._uploads, ignore_errors=True)  # of a service that was killed
        self._new_job = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def load(self) -> None:
        """Load the models.

        Raises:
            UndegradeError: one cannot be loaded.
        """
        try:
            for model in self.settings.models:
                self.workers[model].start()
        except UndegradeError:
            self._dismiss()
            raise

    async def open(self) -> None:
        """Go on with the jobs."""
        self._tasks = [asyncio.create_task(self._work_off()), asyncio.create_task(self._sweep())]

    async def close(self) -> None:
        """End the workers; a job that is at work is begun again when the service is."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._dismiss()

    def _dismiss(self) -> None:
        for worker in self.workers.values():
            worker.stop()
        self.jobs.close()

    @property
    def _uploads(self) -> Path:
        return self.settings.folder / "uploads"

    @contextmanager
    def upload(self) -> Iterator[Path]:
        """A folder for one request, until that is answered."""
        self._uploads.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(dir=self._uploads))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def carry_out(self, model: str, order: Order, is_unwanted: Callable[[], Awaitable[bool]]) -> Answer:
        """The answer to an order; `model` is one of the settings', or `DEGRADER`, the rest as for a worker."""
        return await self.workers[model].carry_out(order, self.settings.work_seconds, is_unwanted)

    def submit(self, model: str, order: Order, picture: Path) -> StoredJob:
        """Take on a job.

        Args:
            model: as for `carry_out`.
            order: its source and target are set here.
            picture: is moved.

        Raises:
            Busy: too many wait.
        """
        waiting = self.jobs.counts()[WAITING]
        if waiting >= self.settings.jobs:
            raise Busy(max(1, waiting))
        job_id, folder = self.jobs.new_folder()
        source = folder / "picture"
        try:
            picture.rename(source)
            placed = replace(order, source=str(source), target=str(folder / "result"))
            job = self.jobs.add(job_id, model, placed)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._new_job.set()
        return job

    async def _work_off(self) -> None:
        """One job after another, beside the requests that wait for their answers."""
        while True:
            job = self.jobs.next()
            if job is None:
                self._new_job.clear()
                await self._new_job.wait()
                continue
            if job.model not in self.workers:
                answer = Answer(status=503, error=f"the service no longer has the model {job.model}")
            else:
                answer = await self.workers[job.model].carry_out(job.order, self.settings.job_seconds)
            while not _noted(partial(self.jobs.finish, job.id, answer)):
                await asyncio.sleep(SWEEP_SECONDS)

    async def _sweep(self) -> None:
        while True:
            _noted(self.jobs.expire)
            await asyncio.sleep(min(SWEEP_SECONDS, self.settings.keep_seconds))


def _noted(write: Callable[[], None]) -> bool:
    """Whether the database took it: on a full disk it does not, and those who serve must go on all the same."""
    try:
        write()
    except sqlite3.Error as error:
        LOG.error("the jobs' database cannot be written (%s); trying again", error)
        return False
    return True
