"""Degradations written as text: `noise(sigma=25)`, `rain(density=1..4, angle=-10..10)`, `mosaic`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping

from undegrade.degradations.base import Degradation
from undegrade.errors import UndegradeError

LEAST = 5  # letters of a word that says something


def parse(text: str, catalogue: Mapping[str, type[Degradation]], mixtures: Collection[str] = ()) -> Degradation:
    """Build the degradation that the text names; a field not named keeps the catalogue's range.

    `mixtures` are names that would have been understood too, for what is said of a mistake.

    Raises:
        UndegradeError: the text cannot be read, or names an unknown degradation or field, or a value out of range.
    """
    match = re.fullmatch(r"\s*([\w-]+)\s*(?:\((.*)\))?\s*", text)
    if not match:
        raise UndegradeError(f"cannot read degradation {text!r}; expected NAME or NAME(FIELD=VALUE, ...)")
    name, arguments = match[1].replace("-", "_"), match[2] or ""
    if name not in catalogue:
        if name in mixtures:
            raise UndegradeError(f"{name}: a mixture has no fields; write its name alone")
        raise UndegradeError(f"unknown degradation {name!r}; {_nearest(name, catalogue, mixtures)}")
    kind = catalogue[name]
    ranges: dict[str, tuple[float, float]] = {}
    for part in filter(None, (p.strip() for p in arguments.split(","))):
        field, equals, value = (p.strip() for p in part.partition("="))
        if not equals or field not in kind.units():
            known = ", ".join(kind.units())
            expected = (
                f"its fields are {known}; write FIELD=VALUE" if known else "it has no severity; write its name alone"
            )
            raise UndegradeError(f"{name}: unknown field {field!r}; {expected}")
        if field in ranges:
            raise UndegradeError(f"{name}: {field} is given twice; write it once")
        ranges[field] = _range(value, f"{name}: {field}")
    return kind(**ranges)


def _range(value: str, where: str) -> tuple[float, float]:
    try:
        ends = [float(end) for end in value.split("..")]
    except ValueError:
        ends = []
    if len(ends) not in (1, 2):
        raise UndegradeError(f"{where} is {value!r}; expected a number, or a range LOW..HIGH")
    return ends[0], ends[-1]


def _nearest(name: str, catalogue: Mapping[str, type[Degradation]], mixtures: Collection[str]) -> str:
    """A question for the one that is spelt alike, or in whose description a word begins so; else all that are known."""
    known = [*catalogue, *mixtures]
    words = {label: (kind.__doc__ or "").split("\n")[0].lower() for label, kind in catalogue.items()}
    said = [label for label, of in words.items() if len(name) >= LEAST and re.search(rf"\b{name.lower()}", of)]
    close = difflib.get_close_matches(name, known, n=1) or said[:1]
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
