"""Carry out a suite: every model on every picture, by one ruler."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from undegrade.batch import CLEAN
from undegrade.data.folder import PictureSet
from undegrade.degradations import DEGRADATIONS, find_step, parse, replay
from undegrade.errors import UndegradeError
from undegrade.evaluation.rulers import Ruler
from undegrade.evaluation.sets import open_pictures
from undegrade.evaluation.suite import Task
from undegrade.images import Picture, find_pictures, read_picture, write_picture
from undegrade.images.picture import to_unit
from undegrade.metrics import quantise

Pixels = NDArray[np.float32]  # (3, H, W) in [0, 1]
# The restored picture and what was named, from the degraded one and what is wrong with it, which only peers ask for.
Restore = Callable[[Pixels, str | None], tuple[Pixels, str | None]]
INPUT = "input"  # the model that gives back what it is given
OUTPUTS = "outputs:"  # before a folder of another program's pictures


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is carried out.

    Args:
        data: the set of pictures.
        layout: of it; None finds out.
        ruler: by which is measured.
        metrics: names of `metrics.METRICS`.
        images: folder in which restored pictures are kept, MODEL/ROW/PICTURE.png; None keeps none.
    """

    data: Path
    layout: str | None
    ruler: Ruler
    metrics: tuple[str, ...] = ("psnr", "ssim")
    images: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one model made of one picture.

    Args:
        model: its name.
        row: of the table.
        picture: its name.
        kind: what is wrong with it, where that is known.
        level: at which, where there are several.
        named: what the model said; None where it says nothing.
        seconds: that it took.
        values: of the metrics; empty where it failed.
        error: why it failed; empty where it did not.
    """

    model: str
    row: str
    picture: str
    kind: str | None = None
    level: float | None = None
    named: str | None = None
    seconds: float = 0.0
    values: dict[str, float] = field(default_factory=dict)
    error: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Which it is, of a run."""
        return self.model, self.row, self.picture


def carry_out(
    plan: Plan,
    tasks: Sequence[Task],
    models: Sequence[str],
    open_model: Callable[[str], Restore],
    *,
    workers: int = 1,
    done: Iterable[tuple[str, str, str]] = (),
) -> Iterator[Score]:
    """The scores of every model on every task, models one after the other, first `INPUT`; in order.

    Args:
        plan: what.
        tasks: the pictures.
        models: their names, which `open_model` understands.
        open_model: makes a function from a name; with several workers it has to be a function of a module.
        workers: processes, each with models of its own.
        done: keys of the scores that are known already; they are left out.
    """
    known = set(done)
    jobs = [(model, task) for model in (INPUT, *models) for task in tasks if (model, *task.key) not in known]
    work = partial(_score, plan, open_model)
    if workers == 1:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_alone) as pool:
        yield from pool.map(work, jobs, chunksize=4)


def _alone() -> None:
    """One thread: there are as many processes as there is to be done at once."""
    torch.set_num_threads(1)


def _score(plan: Plan, open_model: Callable[[str], Restore], job: tuple[str, Task]) -> Score:
    model, task = job
    score = Score(model=model, row=task.row, picture=task.picture, kind=task.kind, level=task.level)
    try:
        degraded, clean = make(plan, task)
        began = time.perf_counter()
        restored, named = _opened(open_model, model, task)(degraded, task.kind)
        seconds = time.perf_counter() - began
        values = plan.ruler.measure(restored, clean, plan.metrics)
        if plan.images:
            _keep(restored, plan.images / _file_name(model) / task.row / f"{task.picture}.png")
    except UndegradeError as error:
        return replace(score, error=str(error))
    return replace(score, named=named, seconds=seconds, values=values)


def make(plan: Plan, task: Task) -> tuple[Pixels, Pixels]:
    """The degraded picture as a model is given it, and the clean one, both (3, H, W).

    Raises:
        UndegradeError: a file cannot be read, the two differ in size, or they are too small.
    """
    degraded, clean = (to_unit(pixels) for pixels in _pictures(plan.data, plan.layout).load(task.number))
    clean = plan.ruler.take(clean)
    if not task.step:
        return (clean if task.kind == CLEAN else plan.ruler.take(degraded)), clean
    clean = centre_crop(clean, task.crop) if task.crop else clean
    own = _own_noise(plan.ruler, task, clean)
    return (own if own is not None else quantise(spoil(clean, task))), clean


def spoil(clean: Pixels, task: Task) -> Pixels:
    """The clean picture spoiled by the task's step, not rounded; the same for everyone."""
    rng, picture = torch.Generator().manual_seed(task.seed), torch.from_numpy(clean)
    if _base(task.step) not in DEGRADATIONS:
        level = 0.5 if task.level is None else task.level
        return np.asarray(replay(picture, find_step(task.step).plan(rng, (level, level))).numpy())
    degradation = parse(task.step)
    severities = degradation.middle() if task.level is None else degradation.at_level(task.level)
    return np.asarray(degradation.degrade(picture, rng, severities).numpy())


def _own_noise(ruler: Ruler, task: Task, clean: Pixels) -> Pixels | None:
    if _base(task.step) != "noise":
        return None
    noise = parse(task.step)
    sigma = (noise.middle() if task.level is None else noise.at_level(task.level))["sigma"]
    return ruler.noisy(clean, sigma)


def _base(step: str) -> str:
    return step.partition("(")[0]


@cache
def _pictures(folder: Path, layout: str | None) -> PictureSet:
    """Once a process."""
    return open_pictures(folder, layout)[0]


# The model that this process has open; one at a time, as they are asked for one after the other.
_models: dict[tuple[Callable[[str], Restore], str], Restore] = {}


def _opened(open_model: Callable[[str], Restore], name: str, task: Task) -> Restore:
    if name == INPUT:
        return lambda degraded, kind: (degraded, None)
    if name.startswith(OUTPUTS):
        return partial(read_output, Path(name.removeprefix(OUTPUTS)), task)
    key = open_model, name
    if key not in _models:
        _models.clear()
        _models[key] = open_model(name)
    return _models[key]


def read_output(folder: Path, task: Task, degraded: Pixels, kind: str | None) -> tuple[Pixels, None]:
    """What another program made of it: FOLDER/ROW/PICTURE.*, or FOLDER/PICTURE.* where the row has no folder.

    Raises:
        UndegradeError: there is no such picture, or there are several.
    """
    within = folder / task.row if (folder / task.row).is_dir() else folder
    wanted = within / task.picture
    near = find_pictures(wanted.parent) if wanted.parent.is_dir() else []
    found = [path for path in near if path.stem == wanted.name]
    if len(found) != 1:
        what = "no picture" if not found else f"{len(found)} pictures"
        raise UndegradeError(f"{wanted}.*: {what} of that name; expected one")
    return read_picture(found[0]).pixels, None


def _keep(restored: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(Picture(pixels=quantise(restored)), path)


def _file_name(model: str) -> str:
    """A folder's name for a model, which may be a path."""
    return Path(model.replace(":", "_")).stem


def centre_crop(picture: Pixels, side: int) -> Pixels:
    """A copy of the middle (3, side, side) of (3, H, W), or of the whole where the picture is smaller."""
    _, height, width = picture.shape
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return picture[:, top : top + side, left : left + side].copy()
