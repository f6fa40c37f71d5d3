"""What of a job is done already, in a folder beside its output, so that a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from undegrade.atomic import written_whole
from undegrade.errors import UndegradeError
from undegrade.inference.restorer import Restorer
from undegrade.inference.treatment import F, Step, Treatment
from undegrade.inference.video.encoding import Encoded

SUFFIX = ".parts"


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """A folder with the finished parts of one job; each part is there whole or not at all.

    Args:
        folder: of this job alone.
        target: of the job.
    """

    folder: Path
    target: Path

    @property
    def result(self) -> Path:
        """Where the result is put together."""
        return self.folder / f"result{self.target.suffix}"

    def treatment(self, shot: int, restorer: Restorer[F]) -> Treatment[F] | None:
        """The treatment of the shot, by its first frame; None: not looked at yet."""
        path = self.folder / f"shot-{shot}.json"
        if not path.exists():
            return None
        stored = json.loads(path.read_text())
        return Treatment(
            finding=restorer.name(np.array(stored["contexts"], np.float32), {}),
            steps=tuple(
                Step(kind=kind, context=np.array(context, np.float32), strength=strength)
                for kind, strength, context in stored["steps"]
            ),
            reason=stored["reason"],
            left=tuple(stored.get("left", ())),
        )

    def keep_treatment(self, shot: int, treatment: Treatment[F], contexts: NDArray[np.float32]) -> None:
        """What `treatment` will return for this shot; the contexts are those that its diagnosis came from."""
        assert all(step.measured is None for step in treatment.steps)  # of a shot nothing is, and it is not kept here
        steps = [(step.kind, step.strength, step.context.tolist()) for step in treatment.steps]
        kept = {"contexts": contexts.tolist(), "steps": steps, "reason": treatment.reason, "left": treatment.left}
        with written_whole(self.folder / f"shot-{shot}.json") as partial:
            partial.write_text(json.dumps(kept))

    def finished(self, segment: int) -> bool:
        """Whether the segment, named by its first frame, was encoded to its end and is undamaged."""
        table, data = self._paths(segment)
        return table.exists() and data.exists() and json.loads(table.read_text())["checksum"] == _checksum(data)

    def packets(self, segment: int) -> list[Encoded]:
        """The packets of a finished segment, in decoding order."""
        stored = json.loads(self._paths(segment)[0].read_text())["packets"]
        return [Encoded(time=time, size=size, key=key) for time, size, key in stored]

    def read(self, segment: int, packets: Sequence[Encoded]) -> Iterator[bytes]:
        """The packets' bytes."""
        with self._paths(segment)[1].open("rb") as file:
            for packet in packets:
                yield file.read(packet.size)

    @contextmanager
    def writing(self, segment: int) -> Iterator[tuple[BinaryIO, list[Encoded]]]:
        """A file for the packets' bytes, and a list for the packets; the segment is finished when the block ends."""
        table, data = self._paths(segment)
        table.unlink(missing_ok=True)
        packets: list[Encoded] = []
        with written_whole(data) as partial, partial.open("wb") as file:
            yield file, packets
        stored = {"checksum": _checksum(data), "packets": [(p.time, p.size, p.key) for p in packets]}
        with written_whole(table) as partial:  # written last: with it the segment counts as finished
            partial.write_text(json.dumps(stored))

    def publish(self) -> None:
        """Move the result to its place; this job's folder, and those of other attempts at this target, go."""
        self.result.replace(self.target)
        for folder in self.target.parent.glob(f".{_escaped(self.target.name)}.*{SUFFIX}"):
            shutil.rmtree(folder, ignore_errors=True)

    def abandon(self) -> None:
        """Remove the folder unless something in it is worth keeping."""
        if not any(self.folder.glob("*.json")):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _paths(self, segment: int) -> tuple[Path, Path]:
        return self.folder / f"segment-{segment}.json", self.folder / f"segment-{segment}.packets"


@contextmanager
def open_ledger(target: Path, facts: Mapping[str, object]) -> Iterator[Ledger]:
    """The ledger of a job; an earlier one's, where all the facts are the same. It stays if the job is not finished.

    Args:
        target: of the job.
        facts: all that the result depends on.

    Raises:
        UndegradeError: it cannot be created or, inside the block, written to.
    """
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    folder = target.with_name(f".{target.name}.{key}{SUFFIX}")
    ledger = Ledger(folder=folder, target=target)
    try:
        folder.mkdir(exist_ok=True)
        yield ledger
    except OSError as error:
        raise UndegradeError(f"{target}: cannot be written ({error.strerror}); check the folder and the disk") from None
    finally:
        ledger.abandon()


def _checksum(path: Path) -> int:
    """CRC-32 of the file."""
    total = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total = zlib.crc32(block, total)
    return total


def _escaped(name: str) -> str:
    """The name with what glob takes for a pattern taken literally."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
