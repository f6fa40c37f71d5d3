"""The smallest thing that can be trained; and processes for runs that are started as a user starts them."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.objectives import Restoration
from undegrade.training.recipe import Stage


class Brightness(nn.Module):
    """An objective with one number: loss = mean (gain * degraded - clean)**2."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        loss = (self.gain * batch.degraded - batch.clean).square().mean()
        return {"loss": loss, "gain": self.gain.detach().clone().squeeze()}


@dataclass
class Counted:
    """Endless batches of one picture and its half; counts what was asked for."""

    taken: int = 0
    spoil: int = -1  # the batch of this number is not finite

    def __iter__(self) -> Iterator[Batch]:
        while True:
            clean = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(self.taken))
            degraded = clean / 2
            if self.taken == self.spoil:
                degraded = degraded * float("nan")
            self.taken += 1
            yield Batch(degraded=degraded, clean=clean, label=torch.tensor([0, 0]))


@pytest.fixture
def brightness() -> Brightness:
    return Brightness()


@pytest.fixture
def counted() -> type[Counted]:
    return Counted


@pytest.fixture
def stage() -> Callable[..., Stage]:
    """A stage in float32 without warm-up, with some fields changed."""

    def make(**changes: float) -> Stage:
        fields = {"steps": 5, "lr": 0.1, "lr_floor": 1.0, "warmup": 0, "bf16": False, **changes}
        return Stage(objective=Restoration.Config(), **fields)  # type: ignore[arg-type]

    return make


def ranks(count: int) -> list[dict[str, str]]:
    """What torchrun and accelerate tell each of so many processes on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    address |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "ACCELERATE_USE_CPU": "true"}
    return [{**address, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


@dataclass
class Running:
    """A command on its way; whoever starts it ends it."""

    server: subprocess.Popen[str]
    processes: list[int]
    out: Path
    err: Path

    def lines(self) -> Iterator[str]:
        """What it complains, line by line, until it is ended."""
        begun = ""
        with self.err.open() as file:
            while any(psutil.pid_exists(process) for process in self.processes):
                begun += file.readline()
                if begun.endswith("\n"):
                    yield begun
                    begun = ""
                else:
                    time.sleep(0.002)
            yield from (begun + file.read()).splitlines()

    def kill(self) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def kill_after(self, steps: int) -> None:
        """Kill it when it has logged so many steps."""
        for line in self.lines():
            steps -= "loss" in line
            if steps == 0:
                self.kill()
                break
        assert self.end().returncode == -signal.SIGKILL

    def end(self) -> subprocess.CompletedProcess[str]:
        """Wait for it; the code is the first one that is not 0, and -9 what is killed, after four minutes by this."""
        late = threading.Timer(240, self.kill)
        late.start()
        codes = json.loads(self.server.stdout.readline())  # type: ignore[union-attr]
        late.cancel()
        code = next((code for code in codes if code), 0)
        return subprocess.CompletedProcess([], code, self.out.read_text(), self.err.read_text())


@dataclass
class Warm:
    """Starts commands in processes forked from one that has imported PyTorch already."""

    server: subprocess.Popen[str]
    folder: Path
    number: int = 0

    def start(self, arguments: Sequence[str], folder: Path, *, count: int = 1, most: int = 0, **more: str) -> Running:
        """Start it in `folder`, `count` times as torchrun does; with `most`, no file may have more bytes."""
        self.number += 1
        out, err = (self.folder / f"{self.number}.{name}" for name in ("out", "err"))
        order = {"argv": list(arguments), "cwd": str(folder), "out": str(out), "err": str(err), "most": most}
        own = ranks(count) if count > 1 else [{"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}]
        err.touch()
        print(json.dumps({**order, "env": {**os.environ, **more}, "own": own}), file=self.server.stdin, flush=True)
        return Running(self.server, json.loads(self.server.stdout.readline()), out, err)  # type: ignore[union-attr]

    def carry_out(self, arguments: Sequence[str], folder: Path, **more: object) -> subprocess.CompletedProcess[str]:
        return self.start(arguments, folder, **more).end()  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    script = Path(__file__).with_name("warm.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, str(script)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield Warm(server, tmp_path_factory.mktemp("warm"))
        server.stdin.close()  # type: ignore[union-attr]
