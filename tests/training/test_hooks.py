import json
from pathlib import Path

import pytest
import torch

from undegrade.training.hooks import Log, Validation
from undegrade.training.loop import Step


def step(number: int, **scalars: float) -> Step:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    values = {name: torch.tensor(value) for name, value in scalars.items()}
    return Step(number=number, scalars=values, lr=0.25, optimizer=optimizer)


def test_a_line_holds_the_means_since_the_last_one(tmp_path: Path) -> None:
    shown: list[dict[str, float]] = []
    log = Log(tmp_path, 1, every=3, show=shown.append)
    for number in range(1, 8):
        log(step(number, loss=float(number), gain=1.0))
    log.board.close()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["step"], line["lr"]) for line in lines] == [(1, 3, 0.25), (1, 6, 0.25)]
    assert [line["loss"] for line in lines] == pytest.approx([2.0, 5.0])
    assert all(line["s_per_step"] >= 0 for line in lines)
    assert [line["loss"] for line in shown] == pytest.approx([2.0, 5.0])
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_an_interrupted_run_goes_on_without_a_line_twice(tmp_path: Path) -> None:
    for stage, first, last in ((0, 0, 3), (1, 0, 4), (1, 2, 4)):
        log = Log(tmp_path, stage, every=1, show=lambda line: None, first=first)
        for number in range(first, last):
            log(step(number + 1, loss=1.0))
        log.board.close()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["step"]) for line in lines] == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (1, 4)]


def test_validation_runs_when_it_is_time_and_goes_through_the_log(tmp_path: Path) -> None:
    shown: list[dict[str, float]] = []
    log = Log(tmp_path, 2, every=100, show=shown.append)
    validation = Validation(lambda: {"val_gain_db": 1.5}, log, every=2)
    for number in range(1, 6):
        validation(step(number))
    log.board.close()
    assert shown == [{"stage": 2, "step": number, "val_gain_db": 1.5} for number in (2, 4)]
