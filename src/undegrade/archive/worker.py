"""What one process of a cluster does: it loads the model once, and is given pictures."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from undegrade import __version__
from undegrade.archive.orders import BEFORE, DIAGNOSED, LEFT_ALONE, RESTORED, Done, Item, Order
from undegrade.archive.plan import open_archive
from undegrade.archive.store import Store, open_store
from undegrade.errors import UndegradeError
from undegrade.images import PictureRows
from undegrade.inference.batch import restore_file
from undegrade.inference.header import file_sha256
from undegrade.inference.jobs import Failure, Job, attempt
from undegrade.inference.models import find_model, identity_of
from undegrade.reports import diagnosis_data, done_data

if TYPE_CHECKING:
    from undegrade.api import Restorer

T = TypeVar("T")
SPARE = 1.5  # times the memory that tiles are chosen for is where the system refuses more


@dataclass(frozen=True, kw_only=True)
class Made:
    """A picture that was worked on: its result, on this machine yet, and its row of the manifest."""

    item: Item
    outcome: str
    path: Path
    row: dict[str, Any]
    notes: tuple[str, ...]


class Worker:
    """Restores or diagnoses pictures; an actor of Ray, or called by itself.

    Args:
        order: what is done with each.
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.source: Store
        self.out: Store
        self.restorer: Restorer

    def open(self) -> str:
        """Load the model; says in one line why that cannot be done, or nothing."""
        order = self.order
        # Each worker has its own cores, so that many of them do not stand in each other's way.
        os.environ["VIPS_CONCURRENCY"] = str(order.cores)
        os.environ.setdefault("OMP_NUM_THREADS", str(order.cores))
        if order.memory and sys.platform == "linux":
            import resource

            limit = int(order.memory * SPARE)
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        try:
            self.restorer = self._load()
            (self.source, _), self.out = open_archive(order.source), open_store(order.out, writing=True)
        except UndegradeError as error:
            return f"{platform.node()}: {error}"
        except MemoryError:
            return f"{platform.node()}: not enough memory to load the model; choose a larger --memory"
        return ""

    def _load(self) -> Restorer:
        from undegrade.api import Restorer
        from undegrade.inference.openvino import openvino_core

        order = self.order
        if identity_of(order.model) != order.options["model"]:
            raise UndegradeError(
                f"{find_model(order.model)}: is another model than the one of the machine that the command was given on"
            )
        openvino_core().set_property("CPU", {"INFERENCE_NUM_THREADS": order.cores})
        return Restorer(
            order.model,
            device=order.device,
            precision=order.precision,
            memory=order.memory,
            only=order.only,
            skip=order.skip,
            force=order.force,
            say=order.say,
        )

    def work(self, items: Sequence[Item]) -> list[Done]:
        """What became of each: while one is worked on, the next is fetched and the last result is written."""
        with TemporaryDirectory(prefix="undegrade-") as folder, ThreadPoolExecutor(2) as pool:
            copies = [_copy(Path(folder), number, item) for number, item in enumerate(items)]
            fetched = [pool.submit(self.source.fetch, items[0].source, copies[0])]
            ends: list[Done | Future[Done]] = []
            for number, item in enumerate(items):
                if number + 1 < len(items):
                    fetched.append(pool.submit(self.source.fetch, items[number + 1].source, copies[number + 1]))
                made = self._attempt(item, copies[number], partial(self._make, item, copies[number], fetched[number]))
                copies[number].unlink(missing_ok=True)
                if isinstance(made, Made):
                    ends.append(pool.submit(self._attempt, item, made.path, partial(self._put, made)))
                else:
                    ends.append(made)
            return [end if isinstance(end, Done) else end.result() for end in ends]

    def _attempt(self, item: Item, copy: Path, work: Callable[[], T]) -> T | Done:
        """What `work` returns, or why the picture failed, by its own name."""
        made = attempt(copy, work)
        if isinstance(made, Failure):
            name = self.source.name(item.source)
            return Done(item=item, row={}, reason=" ".join(made.reason.replace(str(copy), name).split()))
        return made

    def _make(self, item: Item, copy: Path, fetched: Future[str]) -> Done | Made:
        sha256 = fetched.result()
        if item.before == sha256:
            return Done(item=item, outcome=BEFORE, row={})
        if item.before and not item.replace:
            raise UndegradeError(
                f"{self.out.name(item.target)}: exists already, made of other content; --overwrite replaces it"
            )
        size = copy.stat().st_size  # a listing over HTTP does not say
        made = self._diagnosed(item, copy) if self.order.verb == "diagnose" else self._restored(item, copy)
        made.row.update(size=size, sha256=sha256, node=platform.node(), finished=datetime.now(UTC), version=__version__)
        return made if made.row["target"] else Done(item=item, outcome=made.outcome, row=made.row)

    def _diagnosed(self, item: Item, copy: Path) -> Made:
        began, rows = time.perf_counter(), PictureRows(copy, self.order.limits)
        found = diagnosis_data(self.restorer.diagnose_rows(rows))
        pages = len(rows.opened.pages)
        row = _row(self.order, item, found) | {
            "outcome": DIAGNOSED,
            "pixels": rows.width * rows.height * pages,
            "pages": pages,
            "seconds": time.perf_counter() - began,
        }
        return Made(item=item, outcome=DIAGNOSED, path=copy, row=row, notes=())

    def _restored(self, item: Item, copy: Path) -> Made:
        target = copy.with_name(f"{copy.stem}-result{PurePosixPath(item.target).suffix}")
        job = Job(source=copy, target=target)
        done = restore_file(self.restorer, job, limits=self.order.limits, output=self.order.output)
        data, outcome = done_data(done), RESTORED if done.changed else LEFT_ALONE
        row = _row(self.order, item, data["diagnosis"] or {}) | {
            "outcome": outcome,
            "repaired": data["repaired"],
            "reason": data["reason"],
            "pixels": done.pixels,
            "pages": len(done.pages),
            "notes": data["notes"],
            "seconds": done.seconds,
        }
        return Made(item=item, outcome=outcome, path=target, row=row, notes=done.notes)

    def _put(self, made: Made) -> Done:
        made.row.update(target_size=made.path.stat().st_size, target_sha256=file_sha256(made.path))
        self.out.put(made.path, made.item.target)
        made.path.unlink()
        return Done(item=made.item, outcome=made.outcome, row=made.row, notes=made.notes)


def _copy(folder: Path, number: int, item: Item) -> Path:
    """Where a picture is copied to; its ending alone is kept of its name."""
    return folder / f"{number}{PurePosixPath(item.source).suffix.lower()}"


def _row(order: Order, item: Item, found: dict[str, Any]) -> dict[str, Any]:
    """The columns that are known of every picture."""
    severities = found.get("severities", {})
    return {
        "source": item.source,
        "target": item.target or None,
        "modified": item.modified_ns,
        "options": order.key,
        "label": found.get("label"),
        "probability": found.get("probability"),
        "sentence": found.get("sentence"),
        "present": found.get("present", []),
        "probabilities": list(found.get("probabilities", {}).items()),
        "severities": [{"kind": kind, **severity} for kind, severity in severities.items()],
        "strangeness": found.get("strangeness"),
        "notes": [],
    }
