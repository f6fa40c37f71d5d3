"""What is done beside the steps: logging and validation. Each is a hook of `fit`."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from undegrade.atomic import written_whole
from undegrade.training.board import Board
from undegrade.training.loop import Step

LOG = "log.jsonl"  # in the run's folder

T = TypeVar("T")


class Log:
    """Means of the scalars over `every` steps, or up to the last one, to `log.jsonl`, TensorBoard and the screen.

    A line says `samples_per_s`, and as `data_wait` the share of the time in which the batch was waited for: near 0 the
    network is what takes time, near 1 the data. Skipped steps are counted (`skipped`) and left out of the means.

    Args:
        folder: of the run; lines of an interrupted run that will come again are dropped from `log.jsonl`.
        stage: number of the stage, from 0.
        first: steps of the stage that are done.
        every: steps between two lines.
        last: number of the last step.
        show: called with each line.
        batch: samples a step.
        waited: seconds in which batches were waited for, so far.
        pending: what `pending` said when the run was saved, so that the next line is that of a run never stopped.
    """

    def __init__(
        self,
        folder: Path,
        stage: int,
        *,
        every: int,
        show: Callable[[dict[str, float]], None],
        first: int = 0,
        last: int | None = None,
        batch: int = 1,
        waited: Callable[[], float] = lambda: 0.0,
        pending: dict[str, Any] | None = None,
    ) -> None:
        self.path, self.stage, self.every, self.last, self.show = folder / LOG, stage, every, last, show
        self.batch, self.waited = batch, waited
        self.board = Board(folder / "tensorboard")
        self._begin()
        if pending:
            self.sums.update(pending["sums"])
            self.count, self.skipped = pending["count"], pending["skipped"]
            self.began -= pending["seconds"]
            self.waited_before -= pending["waited"]
        if self.path.exists():
            lines = [line for line in read_log(folder) if (line["stage"], line["step"]) <= (stage, first)]
            with written_whole(self.path) as partial:
                partial.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    def _begin(self) -> None:
        """Count from here."""
        self.sums: dict[str, float] = defaultdict(float)
        self.count = self.skipped = 0
        self.began, self.waited_before = time.perf_counter(), self.waited()

    def pending(self) -> dict[str, Any]:
        """What has been counted since the last line; a part of the run's state."""
        seconds, waited = time.perf_counter() - self.began, self.waited() - self.waited_before
        counts = {"count": self.count, "skipped": self.skipped, "seconds": seconds, "waited": waited}
        return {"sums": dict(self.sums), **counts}

    def __call__(self, step: Step) -> None:
        """Add the step's scalars; write a line when it is time."""
        self.skipped += step.skipped > 0
        self.count += step.skipped == 0
        if not step.skipped:
            for name, value in step.scalars.items():
                self.sums[name] += value.item()
        if step.number % self.every and step.number != self.last:
            return
        seconds, steps = time.perf_counter() - self.began, self.count + self.skipped
        line = {
            "stage": self.stage,
            "step": step.number,
            "lr": step.lr,
            "s_per_step": seconds / steps,
            "samples_per_s": steps * self.batch / seconds,
            "data_wait": min(1.0, (self.waited() - self.waited_before) / seconds),
            **({"skipped": self.skipped} if self.skipped else {}),
        }
        self.write({**line, **{name: total / self.count for name, total in self.sums.items()}})
        self._begin()

    def write(self, line: dict[str, float]) -> None:
        """One line everywhere."""
        with self.path.open("a") as file:
            file.write(json.dumps({k: float(f"{v:.6g}") for k, v in line.items()}) + "\n")
        self.board.add_scalars({f"stage{self.stage}/{name}": value for name, value in line.items()}, int(line["step"]))
        self.show(line)

    def draw(self, sheet: NDArray[np.float32], number: int) -> None:
        """A picture (3, H, W) in [0, 1] to TensorBoard."""
        self.board.add_picture(f"stage{self.stage}/held out", sheet, number)


def read_log(folder: Path) -> list[dict[str, float]]:
    """The lines of the log of the run in `folder`; one that a full disk cut short is left out."""
    lines: list[dict[str, float]] = []
    for line in (folder / LOG).read_text().splitlines():
        with suppress(ValueError):
            lines.append(json.loads(line))
    return lines


class Validation:
    """Every so many steps and after the last one, what `validate` measures and `sheet` shows goes into the log.

    Args:
        validate: measures the model and returns scalars by name.
        sheet: shows what it does on a few pictures, (3, H, W) in [0, 1]; None where nothing is to be shown.
        log: where they go.
        every: steps between two validations.
        last: number of the last step.
    """

    def __init__(
        self,
        validate: Callable[[], dict[str, float]],
        sheet: Callable[[], NDArray[np.float32] | None],
        log: Log,
        *,
        every: int,
        last: int,
    ) -> None:
        self.validate, self.sheet, self.log, self.every, self.last = validate, sheet, log, every, last

    def __call__(self, step: Step) -> None:
        """Validate when it is time."""
        if step.number % self.every and step.number != self.last:
            return
        self.log.write({"stage": self.log.stage, "step": step.number, **self.validate()})
        sheet = self.sheet()
        if sheet is not None:
            self.log.draw(sheet, step.number)


class Paused(Exception):
    """The time of a slice is over; the run is saved and goes on with `resume`."""


class Slice:
    """Ends a run at some time, so that it can be carried out in pieces; a hook of `fit`, the last one.

    Args:
        until: the time that ends it, of `time.monotonic`.
        save: told the step that was the last.
    """

    def __init__(self, until: float, save: Callable[[Step], None]) -> None:
        self.until, self.save = until, save

    def __call__(self, step: Step) -> None:
        """Save and stop when it is time.

        Raises:
            Paused: it is.
        """
        if time.monotonic() >= self.until:
            self.save(step)
            raise Paused


class Timed(Iterator[T]):
    """Batches, and how long they were waited for.

    Args:
        batches: where they come from.
    """

    def __init__(self, batches: Iterable[T]) -> None:
        self.batches, self.seconds = iter(batches), 0.0

    def __next__(self) -> T:
        """The next one."""
        began = time.perf_counter()
        batch = next(self.batches)
        self.seconds += time.perf_counter() - began
        return batch


def summary(folder: Path, num_stages: int) -> list[dict[str, float]]:
    """What the log of the run in `folder` says of each stage: steps, seconds, steps skipped, the last validation."""
    stages: list[dict[str, float]] = [{"steps": 0, "seconds": 0.0, "skipped": 0} for _ in range(num_stages)]
    logged = [0.0] * num_stages  # steps
    for line in read_log(folder):
        number = int(line["stage"])
        stage = stages[number]
        if "s_per_step" in line:
            stage["seconds"] += line["s_per_step"] * (line["step"] - logged[number])
            stage["skipped"] += int(line.get("skipped", 0))
            logged[number] = line["step"]
        stage["steps"] = int(line["step"])
        stage.update({name: value for name, value in line.items() if name.startswith("val_")})
    return [{**stage, "seconds": round(stage["seconds"], 1)} for stage in stages]
