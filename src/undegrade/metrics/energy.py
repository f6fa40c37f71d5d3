"""What a computation costs: time, and energy where the processor counts it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COUNTERS = Path("/sys/class/powercap")  # Linux: running average power limit


@dataclass(kw_only=True)
class Cost:
    """Filled in when it is over.

    Args:
        seconds: that passed.
        cpu_seconds: of this process, on all cores.
        joules: of the processor packages, whatever ran on them; None where they cannot be read.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    joules: float | None = None


@contextmanager
def measured() -> Iterator[Cost]:
    """Measures what is done within."""
    cost, before = Cost(), _microjoules()
    began, cpu = time.perf_counter(), time.process_time()
    yield cost
    cost.seconds, cost.cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    after = _microjoules()
    if before and before.keys() == after.keys():
        cost.joules = sum((after[name][0] - before[name][0]) % (after[name][1] + 1) for name in after) / 1e6


def _microjoules() -> dict[str, tuple[int, int]]:
    """Of each package the count, and where it begins again."""
    found = {}
    for folder in sorted(COUNTERS.glob("intel-rapl:[0-9]")):
        try:
            count, limit = (int((folder / name).read_text()) for name in ("energy_uj", "max_energy_range_uj"))
        except (OSError, ValueError):
            continue
        found[folder.name] = (count, limit)
    return found
