"""One, two and four processes on shards of data: the same loss, step by step, also where each has but a share of the
weights; and torchrun, which begins a lost one again.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

import undegrade
from undegrade.data.pairs import find_whole
from undegrade.data.shards import write_shards
from undegrade.images import Picture, write_picture
from undegrade.networks.checkpoint import load_checkpoint
from undegrade.training.hooks import read_log

pytestmark = pytest.mark.slow

STEPS = 50
CONFIGURATION = Path(__file__).parents[2] / "deploy" / "accelerate" / "fsdp2.yaml"
FSDP2 = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
CURVE = """
import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule

from undegrade.data.mixture import batches, open_mixture
from undegrade.objectives import Restoration
from undegrade.recipes import RECIPES
from undegrade.training import sharding
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
here = whole = sum(p.numel() for p in objective.parameters())
if sharding.sharding_wanted(accelerator):
    sharding.share_out(objective, init_device_mesh("cpu", (count,)), least=500)
    here = sum(p.to_local().numel() for p in objective.parameters())
    assert any(isinstance(block, FSDPModule) for block in objective.model.network.modules())
fit(objective, noted(), stage, [lambda step: losses.append(float(step.scalars["loss"]))], parts=parts)
told = {"losses": losses, "seen": seen[: steps * stage.batch // count], "here": here, "whole": whole}
(out / f"{rank}.json").write_text(json.dumps(told))
"""
RECIPE = """
from dataclasses import replace

from undegrade.recipes import RECIPES


def short():
    recipe = RECIPES["universal-small-debug"]()
    return replace(recipe, name="short", stages=(replace(recipe.stages[0], steps=10, batch=2),))


def averaged():
    recipe = RECIPES["generated-5d-debug"]()
    stages = [replace(stage, steps=4, batch=4, ema=0.9) for stage in recipe.stages[:2]]
    return replace(recipe, name="averaged", classifier=replace(recipe.classifier, norm="batch"), stages=tuple(stages))
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
    run = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(count)]
    return [sys.executable, *run, "--max_restarts", "1", *arguments]


def environment(**more: str) -> dict[str, str]:
    # Without the last one torchrun gives processes that begin again the addresses of those before (PyTorch 2.13).
    own = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    return {**os.environ, **own, **more}


def carry_out(warm: Any, arguments: Sequence[str], folder: Path, count: int = 1, **more: str) -> None:
    """In so many processes, told what torchrun would tell them."""
    done = warm.carry_out(arguments, folder, count=count, **more)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def curve(place: Path, warm: Any) -> list[float]:
    """The losses of one process."""
    return follow(place, warm, 1, parts=2)[0]["losses"]


def follow(place: Path, warm: Any, count: int, parts: int = 1, **more: str) -> list[dict[str, Any]]:
    """What each of so many processes tells of its 50 steps; all have the same losses."""
    out = place / f"curve-{count}-{len(more)}"
    out.mkdir()
    carry_out(warm, ["curve.py", str(out), str(STEPS), str(parts)], place, count, **more)
    told = [json.loads((out / f"{rank}.json").read_text()) for rank in range(count)]
    assert all(one["losses"] == told[0]["losses"] for one in told)
    assert sorted(number for one in told for number in one["seen"]) == list(range(STEPS * 8))
    return told


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("more", [{}, FSDP2], ids=["copies", "shares"])
def test_several_processes_have_the_loss_curve_of_one(
    place: Path, warm: Any, curve: list[float], count: int, more: dict[str, str]
) -> None:
    told = follow(place, warm, count, parts=2 if count == 2 and more else 1, **more)
    assert len(curve) == STEPS
    assert np.ptp(curve) > 0.01  # or it would prove nothing
    assert np.abs(np.subtract(told[0]["losses"], curve)).max() <= 1e-4
    held = [one["here"] / one["whole"] for one in told]
    assert held == pytest.approx([1 / count] * count, abs=0.1) if more else held == [1] * count
    assert sum(held) == pytest.approx(1) if more else True


def train(recipe: str, out: str, *more: str) -> list[str]:
    data = ["--clean", "photos", "--workers", "0", "--set", "holdout=0"]
    return ["-m", "undegrade", "train", f"mine.py:{recipe}", *data, "--out", out, *more]


def lose_process(command: Sequence[str], folder: Path, after: int, **more: str) -> int:
    """Kill a process of the training when it has logged so many steps; returns how the command ends."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(**more),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        after -= "loss" in line
        if after == 0:
            launched = psutil.Process(process.pid)
            [*launched.children(), launched][0].kill()
            after -= 1
    assert after < 0
    process.stderr.close()
    return process.wait()


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "state.pt", weights_only=True)["model"]
    return state


def test_a_run_under_torchrun_that_loses_its_process_ends_with_the_same_bits(place: Path, warm: Any) -> None:
    carry_out(warm, train("short", "whole"), place)
    assert lose_process(torchrun(1, *train("short", "elastic")), place, 4) == 0
    expected = weights(place / "whole")
    assert all(torch.equal(value, expected[name]) for name, value in weights(place / "elastic").items())


@pytest.fixture(scope="module")
def shares(place: Path) -> Path:
    """A run of two processes that shared the weights out, as accelerate's configuration says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["-m", "accelerate.commands.launch", "--config_file", str(CONFIGURATION)]
    launch += ["--num_processes", "2", "--main_process_port", str(port)]
    done = subprocess.run(
        [sys.executable, *launch, *train("averaged", "shares")],
        cwd=place,
        env=environment(ACCELERATE_USE_CPU="true"),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return place / "shares"


def test_one_that_loses_a_process_of_those_with_shares_does_so_too(place: Path, shares: Path) -> None:
    assert lose_process(torchrun(2, *train("averaged", "lost")), place, 4, **FSDP2) == 0
    expected = weights(shares)
    assert all(torch.equal(value, expected[name]) for name, value in weights(place / "lost").items())


def test_a_run_on_shares_ends_with_the_checkpoint_of_one_on_copies(place: Path, shares: Path, warm: Any) -> None:
    carry_out(warm, train("averaged", "copies"), place, 2)
    runs = (place / "copies", shares)
    copies, shared = (load_checkpoint(run / "checkpoint.safetensors").state_dict() for run in runs)
    torch.testing.assert_close(shared, copies, atol=1e-5, rtol=0)
    for ours, expected in zip(read_log(shares), read_log(place / "copies"), strict=True):
        names = [name for name in expected if name not in ("s_per_step", "samples_per_s", "data_wait")]
        assert [ours[name] for name in names] == pytest.approx([expected[name] for name in names], rel=1e-3, abs=1e-3)
    photo = np.zeros((48, 56, 3), np.uint8)
    assert undegrade.restore(photo, undegrade.load(shares / "checkpoint.safetensors")).image.shape == photo.shape


def test_a_run_goes_on_with_other_processes_on_shares_or_not(place: Path, shares: Path, warm: Any) -> None:
    for resume, count, more in (([], 2, FSDP2), (["--resume"], 1, {})):
        warm.start(train("averaged", "pieces", *resume), place, count=count, **more).kill_after(2)
    assert torch.load(place / "pieces" / "state.pt", weights_only=True)["step"] in (2, 3)
    carry_out(warm, train("averaged", "pieces", "--resume"), place, 2, **FSDP2)
    torch.testing.assert_close(weights(place / "pieces"), weights(shares), atol=1e-4, rtol=0)


def test_the_older_fsdp_is_refused_once(place: Path, warm: Any) -> None:
    done = warm.carry_out(train("short", "older"), place, count=2, **FSDP2 | {"FSDP_VERSION": "1"})
    assert done.returncode != 0
    assert (
        done.stderr.count("error: accelerate was told FSDP of version 1; undegrade has FSDP2: set fsdp_version: 2") == 1
    )
    assert not (place / "older").exists()
