"""Two machines, simulated: one worker is killed, one machine lost, and one picture kills whoever looks at it."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'undegrade[ray]'")

import pyarrow.parquet as pq

from undegrade.archive.cluster import Crew, connected
from undegrade.archive.orders import Done, Item, Order, Pace
from undegrade.archive.run import go_through
from undegrade.archive.worker import Worker
from undegrade.images import Picture, read_picture, write_picture

COUNT = 240
POISON = "poison.png"

Scene = Callable[[int, int], NDArray[np.float32]]


class Mortal(Worker):
    """Dies of one picture, as of a fault in a decoder."""

    def work(self, items: Sequence[Item]) -> list[Done]:
        if any(item.source == POISON for item in items):
            os._exit(1)
        time.sleep(0.05)
        return super().work(items)


@pytest.fixture
def two_nodes(tidy_ray: None) -> Iterator[Any]:
    """A head without workers, and two machines with a core each."""
    import ray
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(__import__("sys").modules[__name__])
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": quick})
    cluster.machines = [cluster.add_node(num_cpus=1) for _ in range(2)]
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def workers_of(node: Any) -> list[psutil.Process]:
    """The processes of workers on one machine."""
    raylet = next(info for kind, infos in node.all_processes.items() if kind == "raylet" for info in infos)
    children = psutil.Process(raylet.process.pid).children(recursive=True)
    return [process for process in children if "Mortal" in " ".join(process.cmdline())]


def misfortune(cluster: Any, out: Path, log: list[str]) -> None:
    """A worker is killed when a quarter is done, and its machine lost when half is."""
    first, second = cluster.machines
    for share, what in ((0.25, "kill"), (0.5, "lose")):
        while len(list(out.glob("*.png"))) < share * COUNT:
            time.sleep(0.05)
        if what == "lose":
            cluster.remove_node(second, allow_graceful=False)
        else:
            while not (found := workers_of(first)):
                time.sleep(0.05)
            found[0].kill()
        log.append(what)


@pytest.mark.slow
def test_all_is_restored_exactly_once_whatever_dies(
    two_nodes: Any, tmp_path: Path, scene: Scene, make_order: Callable[..., Order], capfd: pytest.CaptureFixture[str]
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    names = [f"{number:03d}.png" for number in range(COUNT)]
    for number, name in enumerate([*names, POISON]):
        write_picture(Picture(pixels=scene(24 + number % 5, 24)), scans / name)
    before = {path.name: path.read_bytes() for path in scans.iterdir()}
    order, failures, log = make_order(scans, out), list[Done](), list[str]()
    pace = Pace(batch_files=6, write_seconds=2, write_rows=50, tell_seconds=1)
    trouble = threading.Thread(target=misfortune, args=(two_nodes, out, log), daemon=True)
    trouble.start()
    with connected(two_nodes.address):
        totals = go_through(order, Crew(order, 2, Mortal), pace=pace, on_failure=failures.append)
    trouble.join(10)
    assert log == ["kill", "lose"]
    assert capfd.readouterr().out == ""
    assert totals.counts == {"restored": COUNT, "failed": 1}
    assert totals.listed == COUNT + 1
    assert totals.lost >= 2 + pace.deaths
    assert [done.item.source for done in failures] == [POISON]
    assert "3 workers died of it" in failures[0].reason

    rows = pq.read_table(out / "_undegrade" / "manifest").to_pylist()
    assert Counter(row["source"] for row in rows) == Counter(names)
    assert {path.name for path in out.iterdir()} == {*names, "_undegrade"}
    assert len((out / "_undegrade" / "failed.jsonl").read_text().splitlines()) == 1
    assert not (out / "_undegrade" / "unfinished.json").exists()
    assert {path.name: path.read_bytes() for path in scans.iterdir()} == before
    for name in names[::40]:
        assert read_picture(out / name).pixels.shape == read_picture(scans / name).pixels.shape
