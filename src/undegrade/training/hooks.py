"""What is done beside the steps: logging and validation. Each is a hook of `fit`."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

from undegrade.training.loop import Step


class Log:
    """Means of the scalars over `every` steps, to `log.jsonl`, to TensorBoard and to a callback for the screen.

    Args:
        folder: of the run; the files are appended to.
        stage: number of the stage, from 0.
        every: steps between two lines.
        show: called with each line.
    """

    def __init__(self, folder: Path, stage: int, *, every: int, show: Callable[[dict[str, float]], None]) -> None:
        self.path, self.stage, self.every, self.show = folder / "log.jsonl", stage, every, show
        self.board = SummaryWriter(str(folder / "tensorboard"))
        self.sums: dict[str, float] = defaultdict(float)
        self.count, self.began = 0, time.perf_counter()

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
            file.write(json.dumps({k: round(v, 6) for k, v in line.items()}) + "\n")
        for name, value in line.items():
            self.board.add_scalar(f"stage{self.stage}/{name}", value, int(line["step"]))
        self.show(line)


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
