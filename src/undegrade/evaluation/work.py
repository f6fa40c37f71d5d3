"""What there is to do: a suite, or a set of pairs, and where its pictures lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.evaluation.sets import SETS, find_set, open_pictures, what_is_wrong
from undegrade.evaluation.suite import SUITES, Task, find_suite, pair_tasks, tasks_of

CLEAN_SET = "Kodak24"  # that generated suites spoil, unless another one is named
USUAL = "generated_10d"  # the suite of a folder of clean pictures


@dataclass(frozen=True, kw_only=True)
class Work:
    """Pictures and what is done with them.

    Args:
        suite: its name; that of the set, for pairs.
        data: name of the set.
        folder: where it lies.
        layout: of it; None finds out.
        crop: side of the centre crop, pixels; 0: whole pictures.
        tasks: a picture each.
        problems: what is wrong with the set.
    """

    suite: str
    data: str
    folder: Path
    layout: str | None
    crop: int
    tasks: tuple[Task, ...]
    problems: tuple[str, ...]


def find_work(
    data: Path | None, layout: str | None, *, suite: str | None, on: str | None = None, crop: int | None = None
) -> Work:
    """The work that is meant.

    Args:
        data: folder of the pictures, or of the set that is named, or of several sets; None: `sets.DATA` names it.
        layout: of the pictures; None finds out.
        suite: a generated suite or a standard set; None: what fits the pictures.
        on: the standard set of clean pictures that a generated suite spoils.
        crop: side of the centre crop of clean pictures, pixels, in place of the suite's; 0: whole pictures.

    Raises:
        UndegradeError: there are no such pictures, or they do not fit the suite.
    """
    if suite is None and on is None and data is None:
        raise UndegradeError("--data: missing; expected a folder of clean pictures or of pairs, or name a --suite")
    if on is not None and suite is not None and suite not in SUITES:
        raise UndegradeError(f"--on: {suite} is a set of its own; only generated suites are made on another one")
    generated = suite in SUITES or suite is None
    named = suite if not generated else on
    if suite in SUITES and on is None and (data is None or (data / CLEAN_SET).is_dir()):
        named = CLEAN_SET
    if named is not None and named not in SETS:
        raise UndegradeError(f"--{'on' if generated else 'suite'}: {named!r} is not known; known are {', '.join(SETS)}")
    if named is not None:
        folder, layout = find_set(named, data), layout or SETS[named].layout or None
    else:
        assert data is not None
        folder = data
    pictures, problems = open_pictures(folder, layout)
    doubt = what_is_wrong(named, pictures) if named else None
    name = named or folder.resolve().name
    chosen = None if suite is None and pictures.paired else find_suite(suite or USUAL, crop=crop)
    return Work(
        suite=chosen.name if chosen else name,
        data=name,
        folder=folder,
        layout=layout,
        crop=chosen.crop if chosen else 0,
        tasks=tuple(tasks_of(chosen, pictures) if chosen else pair_tasks(name, pictures)),
        problems=(*problems, *([doubt] if doubt else [])),
    )
