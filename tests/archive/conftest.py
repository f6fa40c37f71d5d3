"""Archives of small pictures, a server of objects, and what Ray has to be told before it is imported."""

from __future__ import annotations

import gc
import importlib.util
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.images import Picture, write_picture

if importlib.util.find_spec("pyarrow"):  # else the tests that need it are skipped, and say so
    from undegrade.archive.cluster import ALONE, QUIET, Returned
    from undegrade.archive.orders import Done, Item, Order, Pace
    from undegrade.archive.run import Totals, go_through
    from undegrade.archive.worker import Worker
    from undegrade.inference.models import identity_of

Scene = Callable[[int, int], NDArray[np.float32]]


@pytest.fixture(scope="session")
def ray_env() -> Iterator[None]:
    """Ray, quiet and on the loopback address; without it, the tests that need it are skipped."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("no Ray: pip install 'undegrade[ray]'")
    settings = {**QUIET, **ALONE, "RAY_AUTH_TOKEN": "0" * 64}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    yield
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module")
def tidy_ray(ray_env: None) -> Iterator[None]:
    """What Ray leaves behind in this process (it does not wait for its servers) is not blamed on later tests."""
    yield
    import ray

    ray.shutdown()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def scans(tmp_path: Path, scene: Scene) -> Path:
    """Five pictures, two of them in folders inside; and what is no picture."""
    folder = tmp_path / "scans"
    for number, name in enumerate(("a.png", "b.jpg", "1999/a.png", "1999/june/c.tif", "1999/june/d.gif")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_suffix(".png") if name.endswith("gif") else path
        write_picture(Picture(pixels=scene(24 + number, 32)), written)
        written.rename(path)  # what a file is, its content says
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "a.png").write_bytes(b"hidden")
    return folder


@pytest.fixture
def make_order(model: Path) -> Callable[..., Order]:
    """Orders of the tiny model, which finds rain in everything."""

    def make(source: object, out: object, **changes: object) -> Order:
        options = {"model": identity_of(str(model))}
        fields = {"verb": "restore", "options": options, "model": str(model), **changes}
        return Order(source=str(source), out=str(out), **fields)  # type: ignore[arg-type]

    return make


class Alone:
    """A crew of one, in this process; it does what `cluster.Crew` does, but for Ray."""

    count, present, deaths = 1, 1, 0

    def __init__(self, order: Order) -> None:
        self.order, self.worker = order, Worker(order)
        complaint = self.worker.open()
        assert not complaint
        self.batches: list[tuple[Item, ...]] = []
        self.lost: set[str] = set()  # pictures that no worker survives
        self._out: tuple[Item, ...] | None = None

    @property
    def free(self) -> bool:
        return self._out is None

    @property
    def working(self) -> bool:
        return self._out is not None

    def give(self, items: Sequence[Item]) -> None:
        self._out = tuple(items)
        self.batches.append(self._out)

    def wait(self, seconds: float) -> list[Returned]:
        items, self._out = self._out, None
        assert items
        if self.lost & {item.source for item in items}:
            self.deaths += 1
            return [Returned(items=items, lost="its process ended")]
        return [Returned(items=items, done=tuple(self.worker.work(items)))]


@dataclass
class Gone:
    """What came of going through an archive."""

    totals: Totals
    failures: dict[str, str]  # by source
    crew: Alone

    @property
    def counts(self) -> dict[str, int]:
        assert self.totals.listed == sum(self.totals.counts.values())
        return dict(self.totals.counts)


@pytest.fixture
def carry_out() -> Callable[..., Gone]:
    """Goes through an archive in this process."""

    def run(order: Order, *, overwrite: bool = False, lost: Sequence[str] = (), pace: Pace | None = None) -> Gone:
        crew, failures = Alone(order), dict[str, str]()
        crew.lost = set(lost)

        def fail(done: Done) -> None:
            failures[done.item.source] = done.reason

        totals = go_through(order, crew, overwrite=overwrite, on_failure=fail, pace=pace)  # type: ignore[arg-type]
        return Gone(totals, failures, crew)

    return run


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that speaks S3, with the buckets `inbox` and `outbox`, and whose word is law."""
    pytest.importorskip("moto.server", reason="no moto: pip install 'moto[s3]' flask flask-cors")
    from moto.server import ThreadedMotoServer

    settings = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        started.start()
        address = "http://{}:{}".format(*started.get_host_and_port())
        patch.setenv("AWS_ENDPOINT_URL", address)
        yield address
        started.stop()
