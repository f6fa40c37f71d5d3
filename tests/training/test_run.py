"""Runs in processes of their own, as a user has them, which may be killed, share the work, or fill the disk."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from undegrade.images import Picture, write_picture
from undegrade.networks.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow

RECIPES = """
from dataclasses import replace

from undegrade.recipes import RECIPES


def killed():
    recipe = RECIPES["universal-small-debug"]()
    return replace(recipe, name="killed", stages=tuple(replace(s, steps=4, batch=2) for s in recipe.stages[:2]))


def shared(norm="layer", steps=4):
    recipe = RECIPES["generated-5d-debug"]()
    stage = replace(recipe.stages[0], steps=steps, batch=4, clip=1.0, ema=0.9, lr=1e-3)
    return replace(recipe, name="shared", classifier=replace(recipe.classifier, norm=norm), stages=(stage,))


def shared_batch_norm():
    return shared("batch", steps=10)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe file and five small photographs."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "photos").mkdir()
    for number in range(5):
        coarse = np.random.default_rng(number).random((3, 6, 7), dtype=np.float32)
        write_picture(Picture(pixels=coarse.repeat(8, 1).repeat(8, 2)), folder / "photos" / f"{number}.png")
    (folder / "mine.py").write_text(RECIPES)
    return folder


def command(recipe: str, out: str, *more: str) -> list[str]:
    run = ["train", f"mine.py:{recipe}", "--clean", "photos", "--out", out, "--workers", "0", "--set", "holdout=0"]
    return ["-m", "undegrade", *run, *more]


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "state.pt", weights_only=True)["model"]
    return state


def test_a_run_killed_at_any_step_and_resumed_ends_with_the_same_bits(place: Path, warm: Any) -> None:
    assert warm.carry_out(command("killed", "whole"), place).returncode == 0
    for stage, after in enumerate((2, 4)):  # lines of the log
        warm.start(command("killed", "broken", *(["--resume"] if stage else [])), place).kill_after(after)
        assert torch.load(place / "broken" / "state.pt", weights_only=True)["stage"] == stage
    assert not (place / "broken" / "results.json").exists()
    done = warm.carry_out(command("killed", "broken", "--resume"), place)
    assert done.returncode == 0, done.stderr
    expected, found = weights(place / "whole"), weights(place / "broken")
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    results = [json.loads((place / run / "results.json").read_text()) for run in ("whole", "broken")]
    assert results[0]["checkpoint_sha256"] == results[1]["checkpoint_sha256"]
    assert [stage["samples"] for stage in results[1]["stages"]] == [8, 8]
    again = warm.carry_out(command("killed", "broken", "--resume"), place)
    assert again.returncode == 0
    assert "complete already; nothing was done" in again.stderr


def test_two_processes_find_what_one_finds(place: Path, warm: Any) -> None:
    recipe, near = "shared_batch_norm", 1e-4  # over four pixels, at the coarsest level, it blows roundings up
    alone = warm.carry_out(command(recipe, f"{recipe}-1"), place)
    assert alone.returncode == 0, alone.stderr
    both = warm.carry_out(command(recipe, f"{recipe}-2"), place, count=2)
    assert both.returncode == 0, both.stderr
    made = [json.loads((place / f"{recipe}-{count}" / "versions.json").read_text()) for count in (1, 2)]
    assert [versions["processes"] for versions in made] == ["1", "2"]
    expected, found = weights(place / f"{recipe}-1"), weights(place / f"{recipe}-2")
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=near, rtol=0, msg=name)
    lines = [
        [json.loads(line) for line in (place / f"{recipe}-{count}" / "log.jsonl").read_text().splitlines()]
        for count in (1, 2)
    ]
    losses = [[line["loss"] for line in log if "loss" in line] for log in lines]
    assert len(losses[0]) == 10
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert both.stdout.count("checkpoint.safetensors") == 1


def test_a_batch_that_cannot_be_shared_is_refused_once(place: Path) -> None:
    # By accelerate itself: it calls two processes multi_gpu, and the environment says CPU.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [sys.executable, *launch, *command("shared", "odd", "--set", "stages.0.batch=3")],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode != 0
    line = "error: stages.0.batch is 3; it must be a multiple of 2, the number of processes, which share it"
    assert done.stderr.count(line) == 1
    assert not (place / "odd").exists()


def test_a_full_disk_ends_the_run_with_one_line_and_the_last_save_stands(place: Path, warm: Any) -> None:
    warm.start(command("killed", "full"), place).kill_after(3)
    saved = {name: (place / "full" / name).read_bytes() for name in ("state.pt", "checkpoint.safetensors")}
    cut_off = set((place / "full").glob(".*.part"))  # what was being written when it was killed
    for arguments in (command("killed", "full", "--resume"), command("killed", "fresh")):
        full = warm.carry_out(arguments, place, most=len(saved["state.pt"]) // 2)
        assert full.returncode == 2
        last = full.stderr.splitlines()[-1]
        assert re.fullmatch(r"error: (full|fresh)/state.pt: cannot be written \(File too large\); .*", last)
        assert "Traceback" not in full.stderr
    assert {name: (place / "full" / name).read_bytes() for name in saved} == saved
    assert set((place / "full").glob(".*.part")) == cut_off
    assert warm.carry_out(command("killed", "full", "--resume"), place).returncode == 0


GUARDED = """
import json
import pathlib
import torch
from accelerate import Accelerator
from undegrade.batch import Batch
from undegrade.objectives import Restoration
from undegrade.training.loop import fit
from undegrade.training.recipe import Stage


class Brightness(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.zeros(1))

    def forward(self, batch):
        return {"loss": (self.gain * batch.degraded - batch.clean).square().mean()}


def batches(rank):
    for number in range(5):
        clean = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(2 * number + rank))
        yield Batch(degraded=clean / (0.0 if (number, rank) == (2, 1) else 2.0), clean=clean, label=torch.zeros(2))


objective, told, rank = Brightness(), [], Accelerator().process_index
stage = Stage(objective=Restoration.Config(), steps=5, lr=0.1, warmup=0, bf16=False)
fit(objective, batches(rank), stage, [lambda s: told.append((s.skipped, objective.gain.item()))])
pathlib.Path(f"told-{rank}.json").write_text(json.dumps(told))
"""


def test_all_processes_skip_what_is_no_number_in_one_of_them(place: Path, warm: Any) -> None:
    (place / "guarded.py").write_text(GUARDED)
    done = warm.carry_out(["guarded.py"], place, count=2)
    assert done.returncode == 0, done.stderr
    told = [json.loads((place / f"told-{rank}.json").read_text()) for rank in range(2)]
    assert told[0] == told[1]
    assert [skipped for skipped, _ in told[0]] == [0, 0, 1, 0, 0]
    assert told[0][2][1] == told[0][1][1] != told[0][3][1]


def test_weights_to_begin_with(place: Path, warm: Any) -> None:
    assert warm.carry_out(command("shared", "source"), place).returncode == 0
    source = str(place / "source" / "checkpoint.safetensors")
    begun = warm.carry_out(command("shared", "second", "--start", source, "--set", "stages.0.lr=1e-9"), place)
    assert begun.returncode == 0, begun.stderr
    assert "checkpoint.safetensors: network, classifier" in begun.stderr
    for name, value in load_checkpoint(Path(source)).state_dict().items():
        torch.testing.assert_close(weights(place / "second")[name], value, atol=1e-4, rtol=0)
    assert json.loads((place / "second" / "data.json").read_text())["start"] == source
    refused = warm.carry_out(command("shared", "third", "--start", source, "--set", "network.width=16"), place)
    assert refused.returncode == 2
    assert "the network's width is 8, the recipe's 16; set network.width" in refused.stderr
    assert not (place / "third").exists()
    other = warm.carry_out(command("killed", "fourth", "--start", source), place)
    assert "network; begun afresh: classifier, answers (other labels or shapes)" in other.stderr
    # Interrupted before its first save, a run begins again where it began, and later needs the file no more.
    (place / "second" / "results.json").unlink()
    (place / "second" / "state.pt").unlink()
    again = warm.carry_out(command("shared", "second", "--resume", "--set", "stages.0.lr=1e-9"), place)
    assert again.returncode == 0, again.stderr
    assert f"from {source}: network, classifier" in again.stderr
    for name, value in load_checkpoint(Path(source)).state_dict().items():
        torch.testing.assert_close(weights(place / "second")[name], value, atol=1e-4, rtol=0)
    Path(source).unlink()
    done = warm.carry_out(command("shared", "second", "--resume", "--set", "stages.0.lr=1e-9"), place)
    assert done.returncode == 0, done.stderr
    assert json.loads((place / "second" / "data.json").read_text())["start"] == source


def test_the_folder_says_what_the_run_was_made_with(place: Path, warm: Any) -> None:
    began = time.time()
    assert warm.carry_out(command("shared", "told"), place).returncode == 0
    versions = json.loads((place / "told" / "versions.json").read_text())
    assert versions["torch"] == torch.__version__
    assert {"undegrade", "numpy", "python", "platform", "device"} <= versions.keys()
    results = json.loads((place / "told" / "results.json").read_text())
    (stage,) = results["stages"]
    assert results["recipe"] == "shared"
    assert stage["steps"] == 4
    assert stage["samples"] == 16
    assert 0 < stage["seconds"] < time.time() - began
    assert "val_accuracy" in stage
