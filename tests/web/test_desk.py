"""Jobs, desk and workers without a service around them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from undegrade.errors import UndegradeError
from undegrade.inference.models import DEFAULT_MODEL
from undegrade.web.desk import Desk
from undegrade.web.jobs import DONE, RUNNING, WAITING, Jobs
from undegrade.web.orders import Answer, Order
from undegrade.web.settings import Settings
from undegrade.web.workers import Worker

ORDER = Order(kind="restore", source="", target="")


def a_worker() -> Worker:
    """One without a model: it starts at once."""
    return Worker("", Settings(), lambda why: None)


def test_two_services_do_not_share_a_folder(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, 60)
    with pytest.raises(UndegradeError, match=r"another service.*--state"):
        Jobs(tmp_path, 60)
    jobs.close()
    Jobs(tmp_path, 60).close()


def test_only_its_user_can_read_the_ids(tmp_path: Path) -> None:
    Jobs(tmp_path, 60).close()
    assert (tmp_path / "jobs.sqlite").stat().st_mode & 0o077 == 0
    assert (tmp_path / "jobs").stat().st_mode & 0o077 == 0


def test_a_job_at_work_waits_again_when_the_service_was_killed(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, 60)
    jobs.add("a", DEFAULT_MODEL, ORDER)
    jobs.new_folder()
    assert jobs.next() is not None
    assert (jobs.counts()[WAITING], jobs.counts()[RUNNING]) == (0, 1)
    jobs.close()
    jobs = Jobs(tmp_path, 60)
    found = jobs.find("a")
    assert found is not None
    assert found.state == WAITING
    assert not list((tmp_path / "jobs").iterdir())  # what no job owns
    jobs.close()


def test_jobs_go_on_after_the_disk_was_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answered(self: Worker, order: Order, seconds: float) -> Answer:
        return Answer(target="result.png")

    def once_full(write: Callable[..., None]) -> Callable[..., None]:
        calls = []

        def writing(*arguments: object) -> None:
            calls.append(arguments)
            if len(calls) == 1:
                raise sqlite3.OperationalError("database or disk is full")
            write(*arguments)

        return writing

    monkeypatch.setattr(Worker, "carry_out", answered)
    monkeypatch.setattr(Jobs, "finish", once_full(Jobs.finish))
    monkeypatch.setattr(Jobs, "expire", once_full(Jobs.expire))
    monkeypatch.setattr("undegrade.web.desk.SWEEP_SECONDS", 0.01)

    async def two_jobs() -> list[str]:
        desk = Desk(Settings(state=tmp_path / "state"))
        await desk.open()
        jobs = []
        for number in range(2):
            (tmp_path / str(number)).touch()
            jobs.append(desk.submit(DEFAULT_MODEL, ORDER, tmp_path / str(number)).id)
        await asyncio.sleep(0.3)
        found = [desk.jobs.find(job) for job in jobs]
        await desk.close()
        return [one.state for one in found if one is not None]

    assert asyncio.run(two_jobs()) == [DONE, DONE]


def test_a_job_that_cannot_be_noted_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Jobs, *arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async def submit() -> None:
        desk = Desk(Settings(state=tmp_path / "state"))
        (tmp_path / "picture").touch()
        try:
            desk.submit(DEFAULT_MODEL, ORDER, tmp_path / "picture")
        finally:
            await desk.close()

    monkeypatch.setattr(Jobs, "add", full)
    with pytest.raises(sqlite3.OperationalError):
        asyncio.run(submit())
    assert not list((tmp_path / "state" / "jobs").iterdir())


def test_a_worker_may_be_looked_at_while_it_is_replaced() -> None:
    worker, raised, over = a_worker(), [], threading.Event()

    def look() -> None:
        while not over.is_set():
            try:
                _ = worker.alive
            except ValueError as error:
                raised.append(error)

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(2):
        worker.start()
        worker._bury("test")
    over.set()
    looking.join()
    assert not raised
    worker.stop()
    with pytest.raises(UndegradeError, match="ending"):  # or a picture at work would be tried again, by an orphan
        worker.start()


def test_nothing_is_done_for_those_who_have_gone() -> None:
    async def gone() -> bool:
        return True

    worker = a_worker()
    assert asyncio.run(worker.carry_out(ORDER, 60, gone)).status == 400
    assert not worker.alive  # not even started
    worker.stop()
