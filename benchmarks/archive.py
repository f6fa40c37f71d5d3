"""Archives on Ray: 2,000 pictures while a worker is killed, a machine lost and one picture kills; one and two workers.

    python benchmarks/archive.py > benchmarks/results/archive.json

Machines are simulated: several of Ray's nodes on this one, a core each. Pictures are crops of the examples, 64 x 64, as
PNG; the model is the shipped one. What the driver costs is measured with workers that do nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
from PIL import Image

from machine import facts
from undegrade.api import Restorer
from undegrade.archive.cluster import ALONE, QUIET, Crew, connected
from undegrade.archive.orders import BEFORE, DIAGNOSED, Done, Item, Order, Pace
from undegrade.archive.plan import Plan
from undegrade.archive.run import Totals, go_through
from undegrade.archive.store import open_store
from undegrade.archive.worker import Worker, model_files
from undegrade.images import PictureRows
from undegrade.inference.models import DEFAULT_MODEL

EXAMPLES = Path(__file__).parents[1] / "examples"
POISON = "poison.png"


class Mortal(Worker):
    """Dies of one picture."""

    def work(self, items: Sequence[Item]) -> list[Done]:
        """End the process where the one is among them."""
        if any(item.source == POISON for item in items):
            os._exit(1)
        return super().work(items)


class Idle(Worker):
    """Says that it has diagnosed, and has not."""

    def open(self) -> str:
        """Load nothing."""
        return ""

    def work(self, items: Sequence[Item]) -> list[Done]:
        """Make rows up."""
        return [Done(item=item, outcome=DIAGNOSED, row=_row(self.order, item)) for item in items]


def _row(order: Order, item: Item) -> dict[str, Any]:
    found = {"label": "noise", "probability": 0.9, "sentence": "noise, sigma about 24", "present": ["noise"]}
    severity = {"kind": "noise", "family": "noise", "level": 0.5, "field": "sigma", "value": 24.0, "unit": "levels"}
    numbers = {"pixels": 12_000_000, "pages": 1, "size": item.size, "modified": item.modified_ns, "seconds": 1.0}
    facts_of = {"sha256": os.urandom(32).hex(), "options": order.key, "node": "node", "finished": datetime.now(UTC)}
    probabilities = [(f"kind-{number}", 1 / (number + 1)) for number in range(11)]
    row = {"source": item.source, "outcome": DIAGNOSED, "severities": [severity], "probabilities": probabilities}
    return {**row, **found, **numbers, **facts_of}


def make_pictures(folder: Path, count: int, side: int) -> None:
    """Crops of the examples, seeded."""
    folder.mkdir()
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(EXAMPLES.glob("*.png"))]
    rng = np.random.default_rng(0)
    for number in range(count):
        photo = photos[number % len(photos)]
        top, left = (int(rng.integers(length - side)) for length in photo.shape[:2])
        Image.fromarray(photo[top : top + side, left : left + side]).save(folder / f"{number:05d}.png")


def make_order(source: Path, out: Path, verb: str = "restore") -> Order:
    options = {"model": model_files(DEFAULT_MODEL)}
    return Order(verb=verb, source=str(source), out=str(out), options=options, model=DEFAULT_MODEL)


@contextmanager
def machines(count: int) -> Iterator[Any]:
    """Ray with so many simulated machines of a core each, and a head without any; joined by this process."""
    import ray
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": quick})
    cluster.machines = [cluster.add_node(num_cpus=1) for _ in range(count)]
    try:
        with connected(cluster.address):
            yield cluster
    finally:
        cluster.shutdown()


def workers_of(node: Any) -> list[psutil.Process]:
    """The workers' processes of one machine."""
    raylet = next(info for kind, infos in node.all_processes.items() if kind == "raylet" for info in infos)
    children = psutil.Process(raylet.process.pid).children(recursive=True)
    return [process for process in children if "Mortal" in " ".join(process.cmdline())]


def cpu_of_workers() -> float:
    """Processor seconds of all workers that are there, loading the model included."""
    commands = ((process, " ".join(process.cmdline())) for process in psutil.Process().children(recursive=True))
    return sum(sum(process.cpu_times()[:2]) for process, command in commands if command.startswith("ray::Worker"))


def measured(totals: Totals) -> dict[str, Any]:
    seconds = totals.seconds
    return {
        "listed": totals.listed,
        **totals.counts,
        "workers_lost": totals.lost,
        "seconds": round(seconds, 1),
        "images_per_second": round(totals.worked / seconds, 2),
        "megapixels_per_second": round(totals.pixels / 1e6 / seconds, 4),
    }


def misfortunes(place: Path, count: int, side: int) -> dict[str, Any]:
    """A worker is killed at a quarter, and a machine lost at half of the pictures; one picture kills its workers."""
    source, out = place / "in", place / "out"
    make_pictures(source, count, side)
    (source / POISON).write_bytes((source / "00000.png").read_bytes())
    events: list[str] = []

    def trouble(cluster: Any) -> None:
        for share, what in ((0.25, "a worker killed"), (0.5, "a machine lost")):
            while len(list(out.glob("*.png"))) < share * count:
                time.sleep(0.2)
            if what == "a machine lost":
                cluster.remove_node(cluster.machines[1], allow_graceful=False)
            else:
                while not (found := workers_of(cluster.machines[0])):
                    time.sleep(0.1)
                found[0].kill()
            events.append(f"{what} after {len(list(out.glob('*.png')))} results")

    with machines(2) as cluster:
        threading.Thread(target=trouble, args=(cluster,), daemon=True).start()
        order = make_order(source, out)
        totals = go_through(order, Crew(order, 2, Mortal), tell=lambda text: print(text, file=sys.stderr))
        again = go_through(order, Crew(order, 1, Mortal))
    rows = pq.read_table(out / "_undegrade" / "manifest", columns=["source"]).column("source").to_pylist()
    names = Counter(path.name for path in source.iterdir())
    return {
        **measured(totals),
        "events": events,
        "rows_of_manifest": len(rows),
        "sources_with_other_than_one_row": [n for n in names if Counter(rows)[n] != 1],
        "results": len(list(out.glob("*.png"))),
        "given_again": {"done before": again.counts[BEFORE], "failed": again.counts["failed"]},
    }


def scaling(place: Path, count: int, side: int) -> list[dict[str, Any]]:
    """The same pictures by one worker and by two."""
    source = place / "in"
    make_pictures(source, count, side)
    found = []
    for workers in (1, 2):
        with machines(workers):
            for verb in ("diagnose", "restore"):
                order = make_order(source, place / f"{verb}-{workers}", verb)
                load = round(os.getloadavg()[0], 1)
                crew = Crew(order, workers)
                totals = go_through(order, crew, pace=Pace(batch_files=16))
                found.append({"workers": workers, "verb": verb, "load_before": load, **measured(totals)})
                found[-1]["cpu_seconds_of_workers"] = round(cpu_of_workers(), 1)
    return found


def driver(place: Path, count: int) -> dict[str, Any]:
    """What the driver does alone: lists, hands out, writes down; then passes over all of it."""
    source, out = place / "in", place / "out"
    source.mkdir()
    for number in range(count):
        folder = source / f"{number // 1000:03d}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number:07d}.jpg").write_bytes(b"x" * 100)
    order = make_order(source, out, "diagnose")
    store, began = open_store(str(source)), time.perf_counter()
    plan = Plan(order=order, source=store, out=store, only="", known={}, mark_ns=0, overwrite=False)
    listed = sum(1 for _ in plan.go_through())
    listing = time.perf_counter() - began
    with machines(1):
        totals = go_through(order, Crew(order, 1, Idle))
        before, cpu = psutil.Process().memory_info().rss, time.process_time()
        again = go_through(order, Crew(order, 1, Idle))
        cpu = time.process_time() - cpu
    parts = sum(path.stat().st_size for path in (out / "_undegrade" / "manifest").iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "images": count,
        "listed_per_second": round(listed / listing),
        "handed_out_and_written_down_per_second": round(totals.worked / totals.seconds),
        "passed_over_per_second": round(again.counts[BEFORE] / again.seconds),
        "passing_over_cpu_seconds": round(cpu, 2),
        "bytes_of_manifest_per_image": round(parts / count),
        "bytes_of_memory_per_known_image": max(0, round((peak - before) / count)),
    }


def large(place: Path, side: tuple[int, int] = (3000, 4000)) -> dict[str, Any]:
    """Processor seconds, of all threads, of one photograph of 12 megapixels: decoded, diagnosed, gone through."""
    photo = Image.open(EXAMPLES / "cat-noisy.png").convert("RGB").resize((side[1], side[0]), Image.Resampling.BICUBIC)
    noisy = np.asarray(photo, np.float32) + np.random.default_rng(0).normal(0, 25, (*side, 3))
    source = place / "large.jpg"
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(source, quality=95)
    restorer, seconds, result = Restorer(), {}, place / "result.jpg"
    steps: dict[str, Callable[[], Any]] = {
        "decoded": lambda: [None for _ in PictureRows(source).blocks(512)],
        "diagnosed": lambda: restorer.diagnose_rows(PictureRows(source)),
        "gone through": lambda: restorer.restore_file(source, result),
    }
    for name, step in steps.items():
        began = time.process_time()
        done = step()
        seconds[name] = round(time.process_time() - began, 2)
    megabytes = {path.name: round(path.stat().st_size / 1e6, 2) for path in (source, result)}
    outcome = "restored" if done.changed else "left alone"
    return {"megapixels": side[0] * side[1] / 1e6, "megabytes": megabytes, "outcome": outcome, "cpu_seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="pictures while things go wrong")
    parser.add_argument("--scale", type=int, default=400, help="pictures for one and for two workers")
    parser.add_argument("--listed", type=int, default=50_000, help="files for the driver alone")
    parser.add_argument("--side", type=int, default=64, help="of a picture, pixels")
    options = parser.parse_args()
    os.environ.update(QUIET | ALONE, RAY_AUTH_TOKEN="0" * 64)
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / name for name in ("driver", "scaling", "misfortunes", "large")]
        for place in places:
            place.mkdir()
        results = {
            "driver": driver(places[0], options.listed),
            "scaling": scaling(places[1], options.scale, options.side),
            "misfortunes": misfortunes(places[2], options.count, options.side),
            "large": large(places[3]),
        }
    print(json.dumps({"machine": facts(), "options": vars(options), **results}, indent=2))


if __name__ == "__main__":
    main()
