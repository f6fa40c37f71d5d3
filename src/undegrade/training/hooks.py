"""What is done beside the steps: logging and validation. Each is a hook of `fit`."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

from undegrade.atomic import written_whole
from undegrade.training.loop import Step


class Log:
    """Means of the scalars over `every` steps, to `log.jsonl`, to TensorBoard and to a callback for the screen.

    Args:
        folder: of the run; lines of an interrupted run that will come again are dropped from `log.jsonl`.
        stage: number of the stage, from 0.
        first: steps of the stage that are done.
        every: steps between two lines.
        show: called with each line.
    """

    def __init__(
        self, folder: Path, stage: int, *, every: int, show: Callable[[dict[str, float]], None], first: int = 0
    ) -> None:
        self.path, self.stage, self.every, self.show = folder / "log.jsonl", stage, every, show
        self.board = SummaryWriter(str(folder / "tensorboard"))
        self.sums: dict[str, float] = defaultdict(float)
        self.count, self.began = 0, time.perf_counter()
        if self.path.exists():
            lines = [line for line in self.path.read_text().splitlines() if _place(line) <= (stage, first)]
            with written_whole(self.path) as partial:
                partial.write_text("".join(f"{line}\n" for line in lines))

    def __call__(self, step: Step) -> None:
        """Add the step's scalars; write a line when it is time."""
        self.count += 1
        for name, value in step.scalars.items():
            self.sums[name] += value.item()
        if step.number % self.every:
            return
        now = time.perf_counter()
        line = {"stage": self.stage, "step": step.number, "lr": step.lr, "s_per_step": (now - self.began) / self.count}
        self.write({**line, **{name: total / self.count for name, total in self.sums.items()}})
        self.sums.clear()
        self.count, self.began = 0, now

    def write(self, line: dict[str, float]) -> None:
        """One line everywhere."""
        with self.path.open("a") as file:
            file.write(json.dumps({k: float(f"{v:.6g}") for k, v in line.items()}) + "\n")
        for name, value in line.items():
            self.board.add_scalar(f"stage{self.stage}/{name}", value, int(line["step"]))
        self.show(line)


def _place(line: str) -> tuple[int, int]:
    """Stage and step of a line of the log."""
    values = json.loads(line)
    return int(values["stage"]), int(values["step"])


class Validation:
    """Calls `validate` every so many steps and writes what it returns through the log.

    Args:
        validate: measures the model and returns scalars by name.
        log: where they go.
        every: steps between two validations.
    """

    def __init__(self, validate: Callable[[], dict[str, float]], log: Log, *, every: int) -> None:
        self.validate, self.log, self.every = validate, log, every

    def __call__(self, step: Step) -> None:
        """Validate when it is time."""
        if step.number % self.every == 0:
            self.log.write({"stage": self.log.stage, "step": step.number, **self.validate()})
