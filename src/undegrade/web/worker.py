"""The process in which pictures are worked on: it may die of one, and the service lives on."""

from __future__ import annotations

import errno
import signal
import sys
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undegrade.errors import UndegradeError
from undegrade.web.orders import Answer, Order

if TYPE_CHECKING:
    from undegrade.api import Restorer

SPARE = 1.5  # times the memory that tiles are chosen for is where the system refuses more


def work(connection: Connection, model: str, memory: int, max_pixels: int) -> None:
    """Answer orders until the other end is closed.

    Says the model's labels first, or in one line why it cannot be loaded.

    Args:
        connection: orders come in, answers go out.
        model: as for `undegrade.load`; empty for a worker that only degrades.
        memory: bytes.
        max_pixels: of a picture.
    """
    # The service decides when workers end: a signal to the whole group must not cut a picture short.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _limit(int(memory * SPARE))
    try:
        restorer = _load(model, memory) if model else None
    except UndegradeError as error:
        connection.send(str(error))
        return
    connection.send(restorer.backend.labels if restorer else ())
    while True:
        try:
            order: Order = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(_answered(order, restorer, max_pixels))


def _load(model: str, memory: int) -> Restorer:
    from undegrade.api import Restorer

    return Restorer(model, memory=memory)


def _limit(memory: int) -> None:
    """Where the system can, refuse this process more memory of its own (files that are mapped do not count)."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _answered(order: Order, restorer: Restorer | None, max_pixels: int) -> Answer:
    try:
        return _carry_out(order, restorer, max_pixels)
    except UndegradeError as error:
        return Answer(status=422, error=_said(error, order))
    except MemoryError:
        return Answer(status=413, error="the picture is too large for this service's memory; send a smaller one")
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return Answer(status=507, error="the service's disk is full; try again later")
        return Answer(status=500, error=f"internal error ({_said(error, order)})")
    except Exception as error:
        return Answer(status=500, error=f"internal error ({type(error).__name__}: {_said(error, order)})")


def _said(error: Exception, order: Order) -> str:
    """The message in one line, without the service's own paths."""
    text = " ".join(str(error).split())
    return text.replace(order.source, "the picture").replace(order.target, "the result")


def _carry_out(order: Order, restorer: Restorer | None, max_pixels: int) -> Answer:
    from undegrade.images import Limits

    limits = Limits(max_pixels=max_pixels)
    if order.at_once and _num_pixels(order.source, limits) > order.at_once:
        return Answer(status=202)
    if order.kind == "degrade":
        return _degrade(order, limits)
    assert restorer is not None
    restorer = restorer.wishing(only=order.only, skip=order.skip, force=order.force)
    if order.kind == "diagnose":
        return _diagnose(order, restorer, limits)
    return _restore(order, restorer, limits)


def _num_pixels(path: str, limits: Any) -> int:
    """Of all pages, as the header says."""
    from undegrade.images import open_image

    opened = open_image(path, limits)
    return int(opened.image.width * opened.image.height * len(opened.pages))


def _diagnose(order: Order, restorer: Restorer, limits: Any) -> Answer:
    from undegrade.images import read_picture
    from undegrade.reports import diagnosis_data

    return Answer(report=diagnosis_data(restorer.diagnose(read_picture(order.source, limits))))


def _restore(order: Order, restorer: Restorer, limits: Any) -> Answer:
    from undegrade import __version__
    from undegrade.inference.batch import Output, restore_file
    from undegrade.inference.jobs import Job
    from undegrade.reports import done_data

    target = _target(order)
    output = Output(
        strip=order.strip,
        quality=order.quality,
        record={"version": __version__, "model": restorer.backend.name} if order.record else None,
        strength=order.strength,
        local=order.local,
    )
    done = restore_file(restorer, Job(source=Path(order.source), target=target), limits=limits, output=output)
    return Answer(report=done_data(done), target=str(target))


def _degrade(order: Order, limits: Any) -> Answer:
    from undegrade.api import degrade_picture
    from undegrade.images import read_picture, write_picture
    from undegrade.inference.extras import MissingExtra

    try:
        picture = read_picture(order.source, limits)
        degraded, records = degrade_picture(picture, order.specs, seed=order.seed)
    except MissingExtra as error:
        return Answer(status=501, error=str(error))
    target = _target(order)
    notes = write_picture(degraded, target, quality=order.quality)
    steps = [asdict(record) for record in records]
    return Answer(report={"degraded": steps, "notes": list(notes)}, target=str(target))


def _target(order: Order) -> Path:
    from undegrade.images import SUFFIXES
    from undegrade.images.files import natural_suffix

    if order.form is None:
        return Path(order.target + natural_suffix(order.source))
    if f".{order.form.lower()}" not in SUFFIXES:
        raise UndegradeError(f"format: {order.form!r}; expected one of {', '.join(ending[1:] for ending in SUFFIXES)}")
    return Path(f"{order.target}.{order.form.lower()}")
