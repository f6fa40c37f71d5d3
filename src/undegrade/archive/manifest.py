"""The manifest: one row for each picture of an archive, in Parquet files that any program can query."""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from undegrade.archive.store import OWN, Store
from undegrade.errors import UndegradeError

VERSION = 1  # of the schema: columns may be added under the same one, never renamed, retyped or removed
FOLDER = f"{OWN}/manifest"
FAILED = f"{OWN}/failed.jsonl"
UNFINISHED = f"{OWN}/unfinished.json"  # there while a run is under way, or was killed

KEY = b"undegrade.manifest"  # of the schema's metadata: the version
KINDS = pa.list_(pa.string())
REPAIR = pa.struct([("kind", pa.string()), ("strength", pa.float64()), ("by", pa.string())])
SEVERITY = pa.struct(
    [
        ("kind", pa.string()),
        ("family", pa.string()),
        ("level", pa.float64()),
        ("field", pa.string()),
        ("value", pa.float64()),
        ("unit", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("source", pa.string()),  # path below the archive
        ("target", pa.string()),  # path of the result below the output; null where none is written
        ("outcome", pa.string()),  # "restored", "left alone" or "diagnosed"
        ("label", pa.string()),  # the likeliest; null where the model names nothing
        ("probability", pa.float64()),
        ("sentence", pa.string()),
        ("present", KINDS),  # all that is wrong, the likeliest first
        ("probabilities", pa.map_(pa.string(), pa.float64())),
        ("severities", pa.list_(SEVERITY)),  # of each of `present`
        ("strangeness", pa.float64()),  # above 1: farther from all that the model knows than 95 % of known pictures
        ("repaired", pa.list_(REPAIR)),
        ("reason", pa.string()),  # why something was not repaired, or not wholly
        ("pixels", pa.int64()),  # of all pages
        ("pages", pa.int32()),
        ("size", pa.int64()),  # bytes of the source
        ("modified", pa.timestamp("ns", "UTC")),  # of the source
        ("sha256", pa.string()),  # of the source
        ("target_size", pa.int64()),  # bytes
        ("target_sha256", pa.string()),
        ("notes", KINDS),  # what could not be kept of the metadata
        ("options", pa.string()),  # SHA-256 of verb, model and options
        ("version", pa.string()),  # of undegrade
        ("seconds", pa.float64()),  # that it took, without transfers
        ("node", pa.string()),  # name of the machine
        ("finished", pa.timestamp("us", "UTC")),
    ],
    metadata={KEY: str(VERSION).encode()},
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the manifest says of a picture that was done."""

    size: int
    modified_ns: int
    sha256: str
    options: str
    target_size: int
    finished_us: int


@dataclass(kw_only=True, eq=False)
class Manifest:
    """The manifest of one output, written part by part; and what failed.

    Args:
        store: the output.
        write_rows: a part is written when so many rows are new.
        write_seconds: or when so long has passed since the last one.
    """

    store: Store
    write_rows: int
    write_seconds: float
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _failed: list[dict[str, Any]] = field(default_factory=list)
    _told: int = -1  # how many failures are written down
    _run: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}")
    _parts: int = 0
    _last: float = field(default_factory=time.monotonic)

    def known(self) -> dict[str, Known]:
        """What was done before, by source.

        Raises:
            UndegradeError: a part is damaged, or of another version.
        """
        found: dict[str, Known] = {}
        for entry in self.store.list(FOLDER):
            if entry.name.endswith(".parquet"):
                for source, known in self._part(entry.path):
                    if source not in found or found[source].finished_us <= known.finished_us:
                        found[source] = known
        return found

    def _part(self, path: str) -> Iterable[tuple[str, Known]]:
        name = self.store.name(path)
        try:
            part = pq.ParquetFile(io.BytesIO(self.store.read(path)))
        except pa.ArrowInvalid as error:
            what = " ".join(str(error).split())[:200]
            raise UndegradeError(f"{name}: damaged ({what}); delete it, and its pictures are done again") from None
        version = (part.schema_arrow.metadata or {}).get(KEY, b"").decode()
        if version != str(VERSION):
            raise UndegradeError(f"{name}: manifest version {version or 'none'}; this undegrade knows {VERSION}")
        columns = ["source", "size", "modified", "sha256", "options", "target_size", "finished"]
        for batch in part.iter_batches(columns=columns):
            values = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in batch]
            for source, size, modified, sha256, options, target_size, finished in zip(
                *(column.to_pylist() for column in values), strict=True
            ):
                yield (
                    source,
                    Known(
                        size=size,
                        modified_ns=modified,
                        sha256=sha256,
                        options=options,
                        target_size=target_size or 0,
                        finished_us=finished,
                    ),
                )

    def begin(self, about: dict[str, Any]) -> int:
        """Leave a mark that a run is under way, or keep that of one that was killed; returns when it was made, ns.

        By the store's own clock: results that are younger, and in no part, were made by the run that was killed.

        Raises:
            UndegradeError: the output cannot be written.
        """
        mark = self.store.find(UNFINISHED)
        if mark is None:
            self.store.write(json.dumps({"run": self._run, **about}).encode(), UNFINISHED)
            mark = self.store.find(UNFINISHED)
        assert mark is not None
        return mark.modified_ns

    def add(self, row: dict[str, Any]) -> None:
        """One picture that was done."""
        self._rows.append(row)
        if len(self._rows) >= self.write_rows:
            self.flush()

    def fail(self, source: str, reason: str, attempts: int) -> None:
        """One picture that failed."""
        self._failed.append({"source": source, "reason": reason, "attempts": attempts, "time": _now().isoformat()})

    def flush_if_due(self) -> None:
        """Write down what is new, if it is time."""
        if time.monotonic() - self._last >= self.write_seconds:
            self.flush()

    def flush(self) -> None:
        """Write down what is new: rows as a further part, failures as a whole.

        Raises:
            UndegradeError: the output cannot be written.
        """
        if self._rows:
            buffer = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA), buffer, compression="zstd")
            self.store.write(buffer.getvalue(), f"{FOLDER}/{self._run}-{self._parts:05d}.parquet")
            self._parts, self._rows = self._parts + 1, []
        if self._told != len(self._failed):
            lines = "".join(json.dumps(failure, ensure_ascii=False) + "\n" for failure in self._failed)
            self.store.write(lines.encode(errors="replace"), FAILED)
            self._told = len(self._failed)
        self._last = time.monotonic()

    def finish(self) -> None:
        """Write down the rest, and take the mark away."""
        self.flush()
        self.store.clear()
        self.store.remove(UNFINISHED)


def _now() -> datetime:
    return datetime.now(UTC)
