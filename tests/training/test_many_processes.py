"""One, two and four processes on shards: the same loss, step by step; and torchrun, which begins a lost one again."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from undegrade.data.pairs import find_whole
from undegrade.data.shards import write_shards
from undegrade.images import Picture, write_picture

pytestmark = pytest.mark.slow

STEPS = 50
CURVE = """
import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from undegrade.data.mixture import batches, open_mixture
from undegrade.objectives import Restoration
from undegrade.recipes import RECIPES
from undegrade.training.loop import fit
from undegrade.training.processes import join
from undegrade.training.recipe import Stage
from undegrade.training.run import build

out, steps, parts = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(0)
accelerator, recipe = join(), RECIPES["universal-small-debug"]()
rank, count = accelerator.process_index, accelerator.num_processes
stage = Stage(objective=Restoration.Config(), steps=steps, batch=8, crop=32, lr=1e-3, warmup=5, clip=1.0, bf16=False)
mixture = replace(recipe.mixture, each_once=True)
share = {"batch": stage.batch, "crop": stage.crop, "share": (rank, count)}
data = open_mixture(mixture, Path("shards"), (), part="all", holdout=0, **share)
seen, losses = [], []


def noted():
    for batch in batches(data, workers=0):
        seen.extend(batch.numbers)
        yield batch


objective = Restoration(stage.objective, build(recipe))
fit(objective, noted(), stage, [lambda step: losses.append(float(step.scalars["loss"]))], parts=parts)
(out / f"{rank}.json").write_text(json.dumps({"losses": losses, "seen": seen[: steps * stage.batch // count]}))
"""
RECIPE = """
from dataclasses import replace

from undegrade.recipes import RECIPES


def short():
    recipe = RECIPES["universal-small-debug"]()
    return replace(recipe, name="short", stages=(replace(recipe.stages[0], steps=10, batch=2),))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven photographs in shards, and the two scripts."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "photos").mkdir()
    for number in range(7):
        coarse = np.random.default_rng(number).random((3, 6, 7), dtype=np.float32)
        write_picture(Picture(pixels=coarse.repeat(8, 1).repeat(8, 2)), folder / "photos" / f"{number}.png")
    write_shards(find_whole(folder / "photos"), folder / "shards")
    (folder / "curve.py").write_text(CURVE)
    (folder / "mine.py").write_text(RECIPE)
    return folder


def torchrun(count: int, *arguments: str) -> list[str]:
    run = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(count), "--max_restarts", "1"]
    return [sys.executable, *run, *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def carry_out(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_one_two_and_four_processes_have_one_loss_curve(place: Path) -> None:
    curves = {}
    for count, parts in ((1, 2), (2, 1), (4, 1)):
        out = place / f"curve-{count}"
        out.mkdir()
        carry_out(torchrun(count, "curve.py", str(out), str(STEPS), str(parts)), place)
        told = [json.loads((out / f"{rank}.json").read_text()) for rank in range(count)]
        assert all(one["losses"] == told[0]["losses"] for one in told)
        assert sorted(number for one in told for number in one["seen"]) == list(range(STEPS * 8))
        curves[count] = told[0]["losses"]
    assert len(curves[1]) == STEPS
    assert np.ptp(curves[1]) > 0.01  # or it would prove nothing
    differences = {count: float(np.abs(np.subtract(curves[count], curves[1])).max()) for count in (2, 4)}
    assert max(differences.values()) <= 1e-4, differences


def test_a_run_under_torchrun_that_loses_its_process_ends_with_the_same_bits(place: Path) -> None:
    command = ["-m", "undegrade", "train", "mine.py:short", "--clean", "photos", "--workers", "0"]
    command += ["--set", "holdout=0"]
    carry_out([sys.executable, *command, "--out", "whole"], place)
    process = subprocess.Popen(
        torchrun(1, *command, "--out", "elastic"),
        cwd=place,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    steps, killed = 0, False
    for line in process.stderr:
        steps += "loss" in line
        if steps == 4 and not killed:
            psutil.Process(process.pid).children()[0].kill()
            killed = True
    assert process.wait() == 0
    process.stderr.close()
    states = [torch.load(place / run / "state.pt", weights_only=True)["model"] for run in ("whole", "elastic")]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert killed
