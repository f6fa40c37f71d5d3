"""A run in slices ends as one that was never stopped."""

import json
from pathlib import Path

import pytest
import torch

from undegrade.cli import main
from undegrade.networks.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow

RECIPE = "release-default-debug"


def arguments(photos: Path, out: Path, *more: str) -> list[str]:
    options = ["--clean", str(photos), "--out", str(out), "--workers", "0", "--set", "holdout=0"]
    return ["train", RECIPE, *options, *more]


def test_slices_end_with_the_same_weights_and_log(
    photo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(arguments(photo_file.parent, whole)) == 0
    slices = ["0.01"]  # hardly longer than it takes to begin
    assert main(arguments(photo_file.parent, cut, "--minutes", slices[-1])) == 0
    assert "paused: the run is saved, --resume goes on" in capsys.readouterr().out
    assert (cut / "state.pt").exists()
    while not (cut / "results.json").exists():
        assert main(arguments(photo_file.parent, cut, "--minutes", slices[-1], "--resume")) == 0
        slices.append(slices[-1])
        assert len(slices) < 30
    states = [load_checkpoint(run / "checkpoint.safetensors").state_dict() for run in (whole, cut)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    logs = [[json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()] for run in (whole, cut)]
    assert [line.get("loss") for line in logs[0]] == [line.get("loss") for line in logs[1]]
