import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from undegrade.training.hooks import Log, Timed, Validation, read_log, summary
from undegrade.training.loop import Step


def step(number: int, *, skipped: int = 0, **scalars: float) -> Step:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    values = {name: torch.tensor(value) for name, value in scalars.items()}
    return Step(number=number, scalars=values, lr=0.25, optimizer=optimizer, skipped=skipped)


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
    validation = Validation(lambda: {"val_gain_db": 1.5}, lambda: np.ones((3, 4, 6), np.float32), log, every=2, last=5)
    for number in range(1, 6):
        validation(step(number))
    log.board.close()
    assert shown == [{"stage": 2, "step": number, "val_gain_db": 1.5} for number in (2, 4, 5)]


def test_skipped_steps_are_counted_and_left_out_of_the_means(tmp_path: Path) -> None:
    shown: list[dict[str, float]] = []
    log = Log(tmp_path, 0, every=2, show=shown.append)
    log(step(1, loss=float("nan"), skipped=1))
    log(step(2, loss=3.0))
    log(step(3, loss=float("nan"), skipped=1))
    log(step(4, loss=float("nan"), skipped=2))
    log(step(6, loss=1.0))
    log.board.close()
    assert [line.get("skipped", 0) for line in shown] == [1, 2, 0]
    assert [line.get("loss") for line in shown] == [3.0, None, 1.0]


def test_a_line_says_what_was_waited_for(tmp_path: Path) -> None:
    shown: list[dict[str, float]] = []

    def slow() -> Iterator[int]:
        while True:
            time.sleep(0.02)
            yield 1

    timed = Timed(slow())
    log = Log(tmp_path, 0, every=2, show=shown.append, batch=8, waited=lambda: timed.seconds)
    for number in range(1, 5):
        next(timed)
        log(step(number, loss=1.0))
    for number in range(5, 7):
        time.sleep(0.02)
        log(step(number, loss=1.0))
    log.board.close()
    assert [line["data_wait"] > 0.5 for line in shown] == [True, True, False]
    assert shown[2]["data_wait"] == 0
    assert all(line["samples_per_s"] == pytest.approx(8 / line["s_per_step"]) for line in shown)
    assert shown[0]["samples_per_s"] < 400


def test_the_summary_holds_each_stage(tmp_path: Path) -> None:
    lines = [
        {"stage": 0, "step": 2, "s_per_step": 0.5},
        {"stage": 0, "step": 3, "s_per_step": 1.0, "skipped": 1},
        {"stage": 0, "step": 3, "val_gain_db": 1.0},
        {"stage": 1, "step": 4, "s_per_step": 2.0},
        {"stage": 1, "step": 4, "val_gain_db": 2.0},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert summary(tmp_path, 3) == [
        {"steps": 3, "seconds": 2.0, "skipped": 1, "val_gain_db": 1.0},
        {"steps": 4, "seconds": 8.0, "skipped": 0, "val_gain_db": 2.0},
        {"steps": 0, "seconds": 0.0, "skipped": 0},
    ]


def test_the_steps_after_the_last_full_line_have_a_line_too(tmp_path: Path) -> None:
    log = Log(tmp_path, 0, every=3, last=5, show=lambda line: None)
    for number in range(1, 6):
        log(step(number, loss=float(number), skipped=number == 4))
    log.board.close()
    assert [(line["step"], line["loss"], line.get("skipped", 0)) for line in read_log(tmp_path)] == [
        (3, 2.0, 0),
        (5, 5.0, 1),
    ]
    assert summary(tmp_path, 1)[0]["skipped"] == 1


def test_a_resumed_run_writes_the_line_of_one_that_never_stopped(tmp_path: Path) -> None:
    steps = [step(n, loss=float("nan") if n == 2 else n**0.5, skipped=n == 2) for n in range(1, 5)]
    logs = {name: Log(tmp_path / name, 0, every=4, show=lambda line: None) for name in ("whole", "broken")}
    for number, done in enumerate(steps):
        logs["whole"](done)
        if number == 2:
            saved = logs["broken"].pending()
            time.sleep(0.05)
            logs["broken"].board.close()
            logs["broken"] = Log(tmp_path / "broken", 0, every=4, show=lambda line: None, first=2, pending=saved)
        logs["broken"](done)
    for log in logs.values():
        log.board.close()
    whole, broken = (read_log(tmp_path / name) for name in logs)
    timed = ("s_per_step", "samples_per_s", "data_wait")
    assert [{k: v for k, v in line.items() if k not in timed} for line in broken] == [
        {k: v for k, v in line.items() if k not in timed} for line in whole
    ]
    assert len(whole) == 1
    assert whole[0]["skipped"] == 1
    assert broken[0]["s_per_step"] < whole[0]["s_per_step"]  # the time between does not count


def test_a_line_that_was_cut_short_is_dropped(tmp_path: Path) -> None:
    log = Log(tmp_path, 0, every=1, show=lambda line: None)
    log(step(1, loss=1.0))
    log.board.close()
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"stage": 0.0, "st')
    assert summary(tmp_path, 1)[0]["steps"] == 1
    log = Log(tmp_path, 0, every=1, show=lambda line: None, first=1)
    log(step(2, loss=1.0))
    log.board.close()
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1, 2]
