"""Suites: what is measured on what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from undegrade.batch import CLEAN
from undegrade.data.folder import PictureSet
from undegrade.degradations import DEGRADATIONS, FIVE, TEN
from undegrade.degradations.compounds import CDD11_TOGETHER
from undegrade.errors import UndegradeError
from undegrade.evaluation.sets import SETS

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Clean pictures, each spoiled by each step at each level; everyone can make the very same ones.

    Args:
        name: of the suite.
        steps: degradations or mixtures of the catalogue, as they are written.
        levels: in [0, 1] of each severity's range; none: the severities that the step names, or their middles.
        crop: side of the centre crop, pixels; a smaller picture is taken whole; 0: all are.
        clean: whether clean pictures are given, too: what a restorer does to a picture that is well.
    """

    name: str
    steps: tuple[str, ...]
    levels: tuple[float, ...] = ()
    crop: int = 256
    clean: bool = True


SUITES: dict[str, Suite] = {
    "generated_5d": Suite(name="generated_5d", steps=FIVE),
    "generated_10d": Suite(name="generated_10d", steps=TEN),
    "generated_mixed": Suite(name="generated_mixed", steps=tuple(f"cdd11_{name}" for name in CDD11_TOGETHER)),
    "generated_severity": Suite(name="generated_severity", steps=TEN, levels=LEVELS),
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One picture to be restored.

    Args:
        row: of the table that it counts in.
        picture: its name, without the folder and the ending; with the folder where several are called so.
        number: of the pair in the set.
        step: what the clean picture is spoiled by; "": nothing, or it is a pair.
        level: of the step; None: its middle.
        kind: what is wrong with it, where that is known.
        crop: side of the centre crop, pixels; 0: the whole.
        seed: of the step.
    """

    row: str
    picture: str
    number: int
    step: str = ""
    level: float | None = None
    kind: str | None = None
    crop: int = 0
    seed: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """Which it is, among those of a suite."""
        return self.row, self.picture


def find_suite(name: str, *, crop: int | None = None) -> Suite | None:
    """The generated suite of that name, or that of a standard set of clean pictures; None for one of pairs.

    Raises:
        UndegradeError: nothing is called so.
    """
    if name in SUITES:
        suite = SUITES[name]
    elif name in SETS:
        if not SETS[name].steps:
            return None
        suite = Suite(name=name, steps=SETS[name].steps, crop=0, clean=False)
    else:
        raise UndegradeError(f"--suite: {name!r} is not known; known are {', '.join([*SUITES, *SETS])}")
    return suite if crop is None else Suite(**{**vars(suite), "crop": crop})


def tasks_of(suite: Suite, pictures: PictureSet) -> list[Task]:
    """Row after row, each with all pictures; picture n is spoiled from seed n.

    Raises:
        UndegradeError: the pictures are pairs.
    """
    if pictures.paired:
        raise UndegradeError(
            f"{pictures.root}: holds pairs, and the suite {suite.name} spoils clean pictures; name their folder alone"
        )
    names = _names([pair.clean for pair in pictures.pairs])
    tasks = []
    for step in suite.steps:
        kind = step.partition("(")[0]
        for level in suite.levels or (None,):
            row = step if level is None else f"{step} {level:g}"
            for number, name in enumerate(names):
                tasks.append(
                    Task(
                        row=row,
                        picture=name,
                        number=number,
                        step=step,
                        level=level,
                        kind=kind if kind in DEGRADATIONS else None,  # of a mixture no single word is true
                        crop=suite.crop,
                        seed=number,
                    )
                )
    if suite.clean:
        for number, name in enumerate(names):
            tasks.append(Task(row=CLEAN, picture=name, number=number, kind=CLEAN, crop=suite.crop))
    return tasks


def pair_tasks(name: str, pictures: PictureSet, only: set[str] | None = None) -> list[Task]:
    """A task a pair; a row a label where the set has labels, else one row called as the set.

    Args:
        name: of the set.
        pictures: pairs.
        only: labels.

    Raises:
        UndegradeError: the pictures are no pairs.
    """
    if not pictures.paired:
        raise UndegradeError(f"{pictures.root}: clean pictures, where {name} has pairs of degraded and clean ones")
    kind = SETS[name].kind if name in SETS else ""
    names = _names([pair.degraded for pair in pictures.pairs])
    return [
        Task(row=pair.label or name, picture=names[number], number=number, kind=kind or None)
        for number, pair in enumerate(pictures.pairs)
        if only is None or pair.label in only
    ]


def _names(paths: list[str]) -> list[str]:
    """File names without endings where all differ, else with their folders."""
    stems = [Path(path).stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    return [str(Path(path).with_suffix("")).replace("\\", "/") for path in paths]
