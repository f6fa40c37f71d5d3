"""Ray: connected to or started here, and the workers that it runs."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from undegrade.archive.orders import Done, Item, Order
from undegrade.archive.worker import Worker
from undegrade.errors import UndegradeError

LOCAL = "local"
STARTS = 3  # workers in a row that may die before one is ready
CONNECT = 5.0  # seconds in which a cluster has to answer
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or it says that this will be so one day
}
# Of a cluster that is this machine's alone: it listens on the loopback address, as Ray does where it has no clusters,
# and wants a token.
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}


@dataclass(frozen=True, kw_only=True)
class Returned:
    """A batch that came back: done, or lost with its worker."""

    items: tuple[Item, ...]
    done: tuple[Done, ...] = ()
    lost: str = ""  # why the worker died; empty where it did not


@contextmanager
def connected(address: str, cores: int | None = None) -> Iterator[None]:
    """Ray, for as long as the block lasts; without its dashboard, and without its reports on how it is used.

    Args:
        address: "local" starts one on this machine alone, bound to it; else HOST:PORT of a cluster's head.
        cores: of this machine, for "local"; None takes all.

    Raises:
        UndegradeError: no cluster answers there.
    """
    os.environ.update(QUIET)
    logging.getLogger("ray").setLevel(logging.ERROR)
    if address == LOCAL:
        # For this cluster alone: else Ray would keep one in the home folder.
        os.environ.update(ALONE)
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    else:
        _check_address(address)
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
    if address == LOCAL:
        options |= {"address": LOCAL, "include_dashboard": False, "num_cpus": cores}
    else:
        options["address"] = address
    try:
        ray.init(**options)
    except Exception as error:  # of every kind, a plain Exception among them
        what = " ".join(str(error).split())[:200]
        raise UndegradeError(f"--ray {address}: cannot be joined ({what}); check it with ray status") from None
    # As Ray's own debugger does it: what its servers print about each worker that dies, `cause` says in a few words.
    ray._private.worker._worker_logs_enabled = False
    try:
        yield
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Ask whether anybody listens there: Ray itself would try for a minute, and then say much."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise UndegradeError(f"--ray {address}: expected local, or HOST:PORT of a head, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT).close()
    except OSError as error:
        raise UndegradeError(
            f"--ray {address}: no cluster answers there ({error}); start one with ray start --head, or choose local"
        ) from None


class Crew:
    """The workers of one run. Those that die are replaced, and what they had is handed back.

    Args:
        order: what they do.
        count: how many; None takes one for each `order.cores` of the cluster.
        kind: of the workers.
    """

    def __init__(self, order: Order, count: int | None, kind: type[Worker] = Worker) -> None:
        import ray

        self.order, self.kind = order, kind
        self.count = count or max(1, int(ray.cluster_resources().get("CPU", 1)) // order.cores)
        self.deaths = 0
        self._starting: dict[Any, Any] = {}  # what `open` returns -> the worker
        self._busy: dict[Any, tuple[Any, tuple[Item, ...]]] = {}  # what `work` returns -> the worker, its batch
        self._idle: list[Any] = []
        self._stillborn = 0  # in a row
        self._unfit = 0
        for _ in range(self.count):
            self._hire()

    @property
    def free(self) -> bool:
        """Whether a worker waits for a batch."""
        return bool(self._idle)

    @property
    def present(self) -> int:
        """How many workers are there; others may still come."""
        return len(self._idle) + len(self._busy)

    @property
    def working(self) -> bool:
        """Whether a batch is out."""
        return bool(self._busy)

    def _hire(self) -> None:
        import ray

        actor = ray.remote(self.kind).options(num_cpus=self.order.cores, max_restarts=0, max_task_retries=0)
        worker = actor.remote(self.order)
        self._starting[worker.open.remote()] = worker

    def give(self, items: Sequence[Item]) -> None:
        """Hand a batch to a worker that waits for one."""
        worker = self._idle.pop()
        self._busy[worker.work.remote(list(items))] = worker, tuple(items)

    def wait(self, seconds: float) -> list[Returned]:
        """Batches that have come back, after so long at most; workers that have become ready are free then.

        Raises:
            UndegradeError: no worker can start.
        """
        import ray

        waiting = [*self._starting, *self._busy]
        ready, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0)
        if not ready:
            ready, _ = ray.wait(waiting, num_returns=1, timeout=seconds)
        returned = [self._settle(reference) for reference in ready]
        return [one for one in returned if one is not None]

    def _settle(self, reference: Any) -> Returned | None:
        import ray

        starting = reference in self._starting
        worker, items = (self._starting.pop(reference), ()) if starting else self._busy.pop(reference)
        try:
            answer = ray.get(reference)
        except ray.exceptions.RayError as error:
            return self._bury(worker, items, error, starting=starting)
        if starting:
            self._welcome(worker, answer)
            return None
        self._idle.append(worker)
        return Returned(items=items, done=tuple(answer))

    def _welcome(self, worker: Any, complaint: str) -> None:
        if not complaint:
            self._stillborn = 0
            self._idle.append(worker)
            return
        self._unfit += 1
        print(f"note: a worker cannot be used: {complaint}", file=sys.stderr)
        if self._unfit >= self.count:
            raise UndegradeError(f"no worker could load the model; the last one says: {complaint}")

    def _bury(self, worker: Any, items: tuple[Item, ...], error: Exception, *, starting: bool) -> Returned | None:
        import ray

        ray.kill(worker)  # where only its answer was lost
        self.deaths += 1
        self._stillborn += starting
        what = cause(error)
        if self._stillborn >= STARTS:
            raise UndegradeError(f"workers die before they are ready: {what}; see the logs of Ray")
        self._hire()
        return Returned(items=items, lost=what) if items else None


def cause(error: Exception) -> str:
    """Why a worker died, in a few words."""
    import ray

    text = " ".join(str(error).split())
    if isinstance(error, ray.exceptions.OutOfMemoryError) or "memory pressure" in text or "OOM" in text:
        return "its machine ran out of memory"
    if isinstance(error, ray.exceptions.ActorDiedError | ray.exceptions.ActorUnavailableError):
        if "node has died" in text or "node died" in text or "node was terminated" in text or "node removed" in text:
            return "its machine was lost"
        return "its process ended"
    return f"{type(error).__name__}: {text}"[:200]
