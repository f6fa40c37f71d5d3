"""What a worker is asked for, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KINDS = ("restore", "diagnose", "degrade")


@dataclass(frozen=True, kw_only=True)
class Order:
    """One picture to be worked on; everything in it was chosen by the service but the options.

    Args:
        kind: "restore", "diagnose" or "degrade".
        source: the picture file.
        target: the file to write, without its ending.
        at_once: pixels; of a larger picture nothing is done, and the answer's status is 202. 0: of none.
    """

    kind: str
    source: str
    target: str
    at_once: int = 0
    strength: float = 1.0
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    force: bool = False
    local: bool = False
    form: str | None = None  # "png", "jpg", ...; None: that of the picture
    quality: int | None = None
    strip: bool = False
    record: bool = False
    specs: tuple[str, ...] = ()  # of degradations
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of an order.

    Args:
        status: as of HTTP: 200, 202 as `Order.at_once` says, or 4xx and 5xx with `error`.
        report: JSON-like.
        target: the file that was written; empty where none was.
        error: one line.
    """

    status: int = 200
    report: dict[str, Any] | None = None
    target: str = ""
    error: str = ""
