import resource
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from undegrade.training.board import Board


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    for number in range(2):  # a run and its resumption
        board = Board(tmp_path / "tensorboard")
        board.add_scalars({"stage0/loss": 0.5 + number, "stage0/lr": 1e-3}, 10 * (number + 1))
        board.add_picture("stage0/held out", np.full((3, 8, 12), 0.25, np.float32), 10 * (number + 1))
        board.close()
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert [(event.step, event.value) for event in read.Scalars("stage0/loss")] == [(10, 0.5), (20, 1.5)]
    assert [event.step for event in read.Scalars("stage0/lr")] == [10, 20]
    pictures = read.Images("stage0/held out")
    assert [(event.step, event.height, event.width) for event in pictures] == [(10, 8, 12), (20, 8, 12)]


def test_a_full_disk_is_an_error_where_it_is_met(tmp_path: Path) -> None:
    board = Board(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).random((3, 64, 64), dtype=np.float32)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        board.add_scalars({"loss": 1.0}, 1)
        with pytest.raises(OSError, match="too large"):
            board.add_picture("noise", noise, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    board.close()
