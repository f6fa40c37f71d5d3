"""TensorBoard's event files, written by the thread that trains."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import summary


class Board:
    """Scalars and pictures for TensorBoard.

    PyTorch's `SummaryWriter` writes from a thread of its own, which on a full disk dies with a traceback. This one
    raises an OSError where it is called.

    Args:
        folder: created where it is missing; each board writes a file of its own there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns():020d}.{socket.gethostname()}.{os.getpid()}"
        self.file = (folder / name).open("wb")
        self.records = RecordWriter(self.file)
        self.records.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())

    def add_scalars(self, values: dict[str, float], step: int) -> None:
        """Each value under its name, at that step."""
        self._write([summary.scalar(name, value) for name, value in values.items()], step)

    def add_picture(self, name: str, pixels: NDArray[np.float32], step: int) -> None:
        """A picture (3, H, W) in [0, 1]."""
        self._write([summary.image(name, torch.from_numpy(pixels), dataformats="CHW")], step)

    def _write(self, parts: list[Summary], step: int) -> None:
        values = [value for part in parts for value in part.value]
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
        self.records.write(event.SerializeToString())
        self.file.flush()

    def close(self) -> None:
        """Close the file."""
        self.file.close()
