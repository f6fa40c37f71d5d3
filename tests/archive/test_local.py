"""Ray on this machine alone: what it opens, what it sends, and workers that cannot do what they are asked."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'undegrade[ray]'")

from undegrade.archive.cluster import Crew, connected
from undegrade.archive.orders import Done, Item, Order
from undegrade.archive.run import go_through
from undegrade.archive.worker import Made, Worker
from undegrade.cli import main
from undegrade.errors import UndegradeError

pytestmark = pytest.mark.slow


class Hungry(Worker):
    """Wants more memory for one picture than there is."""

    def _make(self, item: Item, copy: Path, fetched: Any) -> Done | Made:
        if item.source == "b.jpg":
            bytearray(8 << 30)
        return super()._make(item, copy, fetched)


@pytest.fixture(scope="module")
def local(tidy_ray: None) -> Iterator[None]:
    with connected("local", 2):
        import ray

        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield


def test_it_listens_to_this_machine_alone_and_reports_to_nobody(local: None) -> None:
    from ray._common.usage import usage_lib

    assert not usage_lib.usage_stats_enabled()
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    ports = [socket for process in family for socket in process.net_connections("tcp") if socket.status == "LISTEN"]
    assert len(ports) > 3
    assert {socket.laddr.ip for socket in ports} <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not limit the memory of a process")
def test_where_memory_runs_short_the_others_go_on(
    local: None, scans: Path, tmp_path: Path, make_order: Callable[..., Order]
) -> None:
    failures: list[Done] = []
    order = make_order(scans, tmp_path / "out", memory=1 << 30)
    totals = go_through(order, Crew(order, 2, Hungry), on_failure=failures.append)
    assert totals.counts == {"restored": 4, "failed": 1}
    assert [done.reason for done in failures] == [
        f"{scans}/b.jpg: too large for this machine's memory; restore a smaller one"
    ]
    assert totals.lost == 0
    order = make_order(scans, tmp_path / "out")
    assert go_through(order, Crew(order, 1)).counts == {"restored": 1, "done before": 4}


def test_another_model_than_the_drivers_is_refused(
    local: None, scans: Path, tmp_path: Path, make_order: Callable[..., Order], capsys: pytest.CaptureFixture[str]
) -> None:
    order = make_order(scans, tmp_path / "out", options={"model": ["another"]})
    with pytest.raises(UndegradeError, match=r"no worker could load the model; .* is another model than the one"):
        go_through(order, Crew(order, 1))
    assert (tmp_path / "out" / "_undegrade" / "unfinished.json").exists()


def test_the_command_says_what_came_of_it(
    local: None, scans: Path, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import ray

    ray.shutdown()
    (scans / "bad.png").write_text("no picture")
    arguments = [str(scans), "-o", str(tmp_path / "out"), "--model", str(model), "--ray", "local", "--jobs", "1"]
    assert main(["diagnose", *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("6 pictures: ")
    assert "5 diagnosed" in printed.out
    assert f"error: {scans}/bad.png: not a picture; expected one of" in printed.err  # after how it goes, if it is slow
