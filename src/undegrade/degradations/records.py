"""Records as text, so that a picture can carry what was done to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from undegrade.batch import Record
from undegrade.errors import UndegradeError

MARK = "undegrade: "  # begins the comment in a file that holds the records


def to_data(records: Iterable[Record]) -> list[dict[str, Any]]:
    """The records as JSON-like data."""
    return [asdict(record) for record in records]


def to_text(records: Iterable[Record]) -> str:
    """One line that `from_text` reads.

    >>> to_text([Record(degradation="noise", severities={"sigma": 25.0}, seed=3)])
    'undegrade: [{"degradation": "noise", "severities": {"sigma": 25.0}, "seed": 3}]'
    """
    return MARK + json.dumps(to_data(records))


def from_text(text: str) -> tuple[Record, ...]:
    """The inverse of `to_text`.

    Raises:
        UndegradeError: the text is no such line.
    """
    try:
        records = tuple(
            Record(
                degradation=str(entry["degradation"]),
                severities={str(name): float(value) for name, value in entry["severities"].items()},
                seed=int(entry["seed"]),
            )
            for entry in json.loads(text.removeprefix(MARK))
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UndegradeError(f"the record cannot be read ({type(error).__name__}: {error})") from None
    return records
