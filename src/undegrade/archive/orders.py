"""What is to be done with an archive, and the records that travel between the driver and its workers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from undegrade.errors import check_at_least
from undegrade.images import LIMITS, Limits
from undegrade.inference.batch import AS_IT_WAS, Output

RESTORED, LEFT_ALONE, DIAGNOSED, BEFORE = "restored", "left alone", "diagnosed", "done before"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What every picture of an archive goes through.

    Args:
        verb: "restore" or "diagnose".
        source: URL or folder of the archive.
        out: URL or folder of the results and of the manifest.
        options: all that a result depends on beside its input, the model among them, as JSON-like data.
        model: as for `undegrade.Restorer`, as are device, precision, memory, only, skip, force and say.
        form: what every result ends with, such as "png"; None keeps each file's own ending.
        output: how results are written.
        limits: how large files may be.
        cores: of each worker.
    """

    verb: str
    source: str
    out: str
    options: dict[str, Any]
    model: str
    device: str = "auto"
    precision: str = "auto"
    memory: int | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    force: bool = False
    say: str | None = None
    form: str | None = None
    output: Output = AS_IT_WAS
    limits: Limits = LIMITS
    cores: int = 1

    @property
    def key(self) -> str:
        """SHA-256 of the options: equal keys and equal contents make equal results."""
        return hashlib.sha256(json.dumps({"verb": self.verb, **self.options}, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How the work is cut, and how often what is done is written down."""

    batch_pixels: float = 8e6  # of the pictures that a worker is given at a time, as far as sizes in bytes tell
    batch_files: int = 256  # at most
    write_rows: int = 10_000  # of the manifest: written down when so many are new
    write_seconds: float = 60.0  # or when so long has passed
    tell_seconds: float = 10.0  # between lines of progress
    deaths: int = 3  # of workers that had one picture alone, after which it is given up
    patience: float = 600.0  # seconds without a single worker, after which the run ends

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_at_least(self, {"batch_pixels": 1, "batch_files": 1, "write_rows": 1, "deaths": 1, "patience": 1})


@dataclass(frozen=True, kw_only=True)
class Item:
    """One picture to be done.

    Args:
        source: its path below the archive.
        target: the path of its result below `Order.out`; empty where none is written.
        size: bytes.
        modified_ns: when it was written, nanoseconds since 1970.
        before: SHA-256 of the content whose result is there already, by the same options; empty: there is none.
        replace: whether a result by another content is replaced where `before` is given.
        deaths: of workers that had it alone.
        alone: whether a worker that had it with others has died.
    """

    source: str
    target: str
    size: int
    modified_ns: int
    before: str = ""
    replace: bool = True
    deaths: int = 0
    alone: bool = False


@dataclass(frozen=True, kw_only=True)
class Done:
    """One picture that was done: its outcome and its row of the manifest, or why it failed.

    Args:
        item: the picture.
        outcome: `RESTORED`, `LEFT_ALONE`, `DIAGNOSED` or `BEFORE`; empty where it failed.
        row: of the manifest, by column; empty where there is none.
        reason: why it failed, in one line.
        notes: what could not be kept, one sentence each.
    """

    item: Item
    outcome: str = ""
    row: dict[str, Any]
    reason: str = ""
    notes: tuple[str, ...] = ()
