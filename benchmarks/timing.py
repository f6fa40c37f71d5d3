"""How a measurement is taken: time and memory inside a process, and what else the machine was busy with meanwhile.

Standard library alone, because peers run it in environments of their own.
"""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

STAT = Path("/proc/stat")
QUIET = 0.1  # of all cores: so much may others take where quiet is waited for
Figures = dict[str, object]


def timed(step: Callable[[], object], *, repeats: int, budget: float) -> Figures:
    """Median and least seconds of a call.

    Args:
        step: what is timed. It is called once before, which is not counted unless it alone takes half the budget.
        repeats: calls that are counted, at most.
        budget: seconds after which no more calls begin.
    """
    began = time.perf_counter()
    step()
    first = time.perf_counter() - began
    times = [first] if first > budget / 2 else []
    while len(times) < repeats and time.perf_counter() - began < budget:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    times = times or [first]
    return {"seconds": round(statistics.median(times), 4), "least": round(min(times), 4), "repeats": len(times)}


def peak_mb() -> float | None:
    """The most memory that this process had, in 10^6 bytes; None where the system does not say.

    It is VmHWM, which begins anew with the program; `ru_maxrss` also counts what the parent had at the fork.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return round(int(found[1]) * 1024 / 1e6, 1) if found else None


def in_process(
    command: Sequence[str], *, quiet: float = 0, limit: float = 1800, environment: Mapping[str, str] | None = None
) -> Figures:
    """The JSON that a command prints in its last line, and the share of all cores that others took meanwhile.

    Args:
        command: the program and its arguments.
        quiet: seconds to wait, at most, until the machine has nothing else to do.
        limit: seconds after which it is ended.
        environment: variables beside those of this process.

    Returns:
        With "process_seconds" and "others"; or {"failed": the last line of what it said}.
    """
    wait_for_quiet(quiet)
    busy, own, began = _busy(), _children(), time.perf_counter()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, env={**os.environ, **(environment or {})}
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done within {limit:.0f} s"}
    seconds = time.perf_counter() - began
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {"failed": said[-1][:300]}
    figures: Figures = json.loads(done.stdout.strip().splitlines()[-1])
    figures["process_seconds"] = round(seconds, 3)
    if busy is not None:
        others = (_busy() - busy) - (_children() - own)
        figures["others"] = round(max(0.0, others / seconds / (os.cpu_count() or 1)), 2)
    return figures


def wait_for_quiet(limit: float) -> None:
    """Returns when others take less than `QUIET` of the machine for two seconds, or after `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end and STAT.exists():
        busy = _busy()
        time.sleep(2)
        if (_busy() - busy) / 2 / (os.cpu_count() or 1) < QUIET:
            return


def _busy() -> float | None:
    """Seconds that all cores together were busy since the start of the machine."""
    if not STAT.exists():
        return None
    user, nice, system, _, _, irq, soft, steal, *_ = map(int, STAT.read_text().splitlines()[0].split()[1:])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)
