"""Which folder holds the pairs of which label: recipes name labels, the command line names folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from undegrade.data.decoding import PixelCache
from undegrade.data.folder import PairFolder, PictureSet, open_set
from undegrade.data.pairs import parse_place
from undegrade.errors import UndegradeError


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the pairs of one label lie."""

    label: str
    folder: Path
    layout: str | None = None  # None: found out


def assign(needed: Sequence[str], given: Sequence[str]) -> tuple[Place, ...]:
    """A place for each label that a recipe needs, in that order.

    Args:
        needed: the labels.
        given: LABEL=DIR or LABEL=DIR:LAYOUT; or DIR alone, whose layout names labels itself.

    Raises:
        UndegradeError: a label has no place, or two, or is not needed; or a folder given alone names no such label.
    """
    places: dict[str, Place] = {}
    wanted = f"the recipe needs {', '.join(needed)}" if needed else "the recipe takes no pairs"
    for text in given:
        label, equals, rest = text.partition("=")
        named = bool(equals) and re.fullmatch(r"[\w+-]+", label) is not None
        folder, layout = parse_place(rest if named else text)
        labels = [label] if named else _own_labels(text, folder, layout, needed)
        for name in labels:
            if name not in needed:
                raise UndegradeError(f"--pairs {text}: nothing takes pairs of {name!r}; {wanted}")
            if name in places:
                raise UndegradeError(
                    f"--pairs {text}: {name!r} has {places[name].folder} already; put links to both into one folder"
                )
            places[name] = Place(label=name, folder=folder, layout=layout)
    missing = [label for label in needed if label not in places]
    if missing:
        options = " ".join(f"--pairs {label}=DIR" for label in missing)
        raise UndegradeError(f"no pairs for {', '.join(missing)}; add {options}")
    return tuple(places[label] for label in needed)


def _own_labels(text: str, folder: Path, layout: str | None, needed: Sequence[str]) -> list[str]:
    """The labels of a folder given without one, as far as they are needed."""
    labels = {pair.label for pair in open_set(folder, layout).pairs}
    if None in labels:
        raise UndegradeError(f"--pairs {text}: the set names no labels; write --pairs LABEL={text}")
    found = [label for label in needed if label in labels]
    if not found:
        known = ", ".join(sorted(map(str, labels)))
        raise UndegradeError(f"--pairs {text}: has pairs of {known}; expected one of {', '.join(needed) or 'none'}")
    return found


def open_pairs(places: Sequence[Place], *, part: str, holdout: int) -> tuple[PairFolder, ...]:
    """The pairs of each place; a folder with several labels is opened once, and all share one cache.

    Raises:
        UndegradeError: as `open_set` and `PairFolder`.
    """
    cache = PixelCache()
    sets: dict[tuple[Path, str | None], PictureSet] = {}
    for place in places:
        key = place.folder, place.layout
        if key not in sets:
            sets[key] = open_set(place.folder, place.layout, cache=cache)
    return tuple(
        PairFolder(sets[place.folder, place.layout], place.label, part=part, holdout=holdout) for place in places
    )
