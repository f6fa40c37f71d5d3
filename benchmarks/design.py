"""Which small network, loss and data teach most in the same seconds of compute: one choice changed at a time.

    OMP_NUM_THREADS=1 python benchmarks/design.py --clean PHOTOS --out runs/design > benchmarks/results/design.json

Every arm is the same start with one thing changed (`ARMS`), trained for the same compute from fresh weights on nine
tenths of the photographs, and measured on the tenth that is held out: mean gain in dB over the ten degradations at
their middle, on the centre of each photograph. Compute is what `base` needs for `--steps`: steps of both are timed by
turns, so that a busy machine delays them alike, and an arm whose step costs more takes fewer. A finished arm is not
repeated, so the command can be stopped and given again; what it has is printed as JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from design_variants import STEERINGS, large_kernels, no_norms
from machine import facts
from undegrade.batch import Batch
from undegrade.data.folder import CleanFolder
from undegrade.data.mixture import Mixture, MixtureConfig, batches, open_mixture
from undegrade.degradations import replay
from undegrade.images.picture import to_unit
from undegrade.metrics import psnr
from undegrade.networks import NAFNet, UniversalRestorer
from undegrade.objectives import Restoration
from undegrade.recipes.universal_small import universal_small
from undegrade.training.ema import Ema
from undegrade.training.loop import Step, fit, make_optimizer
from undegrade.training.precision import reduced
from undegrade.training.recipe import Stage

HOLDOUT = 10  # every tenth photograph
SIDE = 128  # of the centre of each held-out photograph, pixels
TEST_SEED = 20_261_124
TIMED_SIDE = 512  # of the picture that the speed is measured on
PARTS = 4  # of a run, after which the balance of the data is settled anew where it follows the loss
TIMED_STEPS = 5
KEPT = 5  # checkpoints that are averaged, the last ones of ten a run
BASE = universal_small().network
DECIDED = Restoration.Config(loss="psnr", psnr_floor=3e-4, rmse_weight=200.0, naming_weight=1.0, sharpness=4.0)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One choice changed against `base`."""

    network: NAFNet.Config = BASE
    change: Callable[[nn.Module], None] | None = None  # of the built network
    steering: str = "output"  # a member of STEERINGS
    objective: Restoration.Config = DECIDED
    crops: tuple[int, ...] = (64,)  # equal parts of the run; the batch shrinks as the patch grows
    reweighted: bool = False  # labels come the more often, the larger their error is


def network(**fields: Any) -> NAFNet.Config:
    """The network of the start with some fields changed."""
    return replace(BASE, **fields)


ARMS = {
    "base": Arm(),
    "unshuffle 1, width 16": Arm(network=network(unshuffle=1, width=16, encoder=(1, 1, 2, 4), decoder=(1, 1, 1, 2))),
    "unshuffle 4, width 48": Arm(network=network(unshuffle=4, width=48, encoder=(2, 4), decoder=(2, 2))),
    "unshuffle 4, width 64": Arm(network=network(unshuffle=4, width=64, encoder=(2, 4), decoder=(2, 2))),
    "width 16": Arm(network=network(width=16)),
    "width 24": Arm(network=network(width=24)),
    "width 24, deeper": Arm(network=network(width=24, encoder=(2, 4, 6), decoder=(2, 2, 2))),
    "width 48, shallower": Arm(network=network(width=48, encoder=(1, 1, 1), middle=1, decoder=(1, 1, 1))),
    "depthwise 7 x 7": Arm(change=large_kernels),
    "no layer norm": Arm(change=no_norms),
    "steering: none": Arm(steering="none"),
    "steering: prompt": Arm(steering="prompt"),
    "steering: FiLM": Arm(steering="film"),
    "steering: frequency bands": Arm(steering="bands"),
    "loss: L1": Arm(objective=Restoration.Config(naming_weight=0.01, sharpness=4.0)),
    "loss: L1 + 0.1 frequency": Arm(
        objective=Restoration.Config(frequency_weight=0.1, naming_weight=0.01, sharpness=4.0)
    ),
    "loss: PSNR without its root": Arm(objective=replace(DECIDED, rmse_weight=0.0)),
    "patches 64, 128": Arm(crops=(64, 128)),
    "patches 128": Arm(crops=(128,)),
    "balance by the loss": Arm(reweighted=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clean", type=Path, required=True, help="folder of clean photographs, or a pack of them")
    parser.add_argument("--out", type=Path, default=Path("runs/design"), help="where the results of the arms lie")
    parser.add_argument("--steps", type=int, default=600, help="of base; the others take as long")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    torch.set_num_threads(1)  # processor time is then the time of the work
    options.out.mkdir(parents=True, exist_ok=True)
    for seed, name in itertools.product(options.seeds, options.arms):
        path = options.out / f"{list(ARMS).index(name):02}-{seed}.json"
        if not path.exists():
            row = {"arm": name, "seed": seed, **carry_out(ARMS[name], seed, options.clean, options.steps)}
            path.write_text(json.dumps(row, indent=2) + "\n")
            print(row, file=sys.stderr, flush=True)
    rows = [json.loads(path.read_text()) for path in sorted(options.out.glob("*.json"))]
    print(json.dumps({"arms": rows, "machine": facts()}, indent=2))


def carry_out(arm: Arm, seed: int, clean: Path, steps_of_base: int) -> dict[str, Any]:
    """Train and measure: the last weights, their moving average, and the mean of the last checkpoints."""
    mixture = replace(universal_small().mixture, seed=seed)
    torch.manual_seed(seed)
    model = build(arm, mixture)
    stage = replace(universal_small().stages[1], objective=arm.objective, crop=arm.crops[0], lr_floor=1e-3)
    source = Source(arm, mixture, clean)
    cost = 1.0 if arm == ARMS["base"] else cost_to_base(source, stage)
    steps = round(steps_of_base / cost)
    averages = train(arm, model, replace(stage, steps=steps), source)
    return {
        "steps": steps,
        "cost_of_a_step": round(cost, 3),
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds_a_megapixel": speed(model),
        **{name: measure(weights, mixture, clean) for name, weights in {"last": model, **averages}.items()},
    }


def build(arm: Arm, mixture: MixtureConfig) -> UniversalRestorer:
    """The network of an arm with its classifier and steering."""
    drawn = NAFNet(arm.network)
    if arm.change:
        arm.change(drawn)
    kind, steered = STEERINGS[arm.steering]
    return kind(drawn, universal_small().classifier, mixture.labels, steered=steered)


@dataclass(frozen=True)
class Source:
    """Training batches of an arm."""

    arm: Arm
    mixture: MixtureConfig
    clean: Path

    def part(self, number: int, weights: tuple[int, ...] = (), *, first: int = 0) -> Iterator[Batch]:
        """Endless batches of that part of the run, patches by `crops`; a batch has as many pixels in all of them."""
        crops = self.arm.crops
        crop = crops[number * len(crops) // PARTS]
        return batches(self.folder(weights, "train", first=first, crop=crop), workers=0)

    def folder(self, weights: tuple[int, ...], part: str, *, first: int = 0, crop: int = SIDE) -> Mixture:
        """The photographs, spoiled in the arm's ways."""
        config, batch = replace(self.mixture, weights=weights), 16 * 64**2 // crop**2
        return open_mixture(config, self.clean, (), part=part, holdout=HOLDOUT, batch=batch, crop=crop, first=first)


def cost_to_base(source: Source, stage: Stage) -> float:
    """What a step of the arm costs, data included, one of `base` being 1: the median of steps taken by turns."""
    base = Source(ARMS["base"], source.mixture, source.clean)
    ratios = []
    for part in range(PARTS):
        runs = [timed_steps(one, part, stage) for one in (source, base)]
        ratios.append(statistics.median(next(runs[0]) / next(runs[1]) for _ in range(TIMED_STEPS)))
    return statistics.fmean(ratios)


def timed_steps(source: Source, part: int, stage: Stage) -> Iterator[float]:
    """Processor seconds of one step after another, after one that is not counted."""
    objective = Restoration(source.arm.objective, build(source.arm, source.mixture))
    made, optimizer = source.part(part), make_optimizer(objective, stage)
    for number in itertools.count():
        began = time.process_time()
        fit(objective, itertools.islice(made, 1), stage, optimizer=optimizer, first=number)
        if number:
            yield time.process_time() - began


def train(arm: Arm, model: UniversalRestorer, stage: Stage, source: Source) -> dict[str, UniversalRestorer]:
    """Train in place; returns the moving average, and the mean of the last `KEPT` of ten checkpoints."""
    objective = Restoration(arm.objective, model)
    calibration = list(itertools.islice(source.part(PARTS - 1, first=10**9), 16))
    ema, kept, optimizer = Ema(model, stage.ema, calibration), list[list[Tensor]](), make_optimizer(objective, stage)

    def keep(step: Step) -> None:
        if step.number % max(1, stage.steps // 10) == 0:
            kept.append([p.detach().clone() for p in model.parameters()])

    borders = [round(stage.steps * part / PARTS) for part in range(PARTS + 1)]
    for part, (first, last) in enumerate(itertools.pairwise(borders)):
        weights = by_error(model, source) if arm.reweighted and part else ()
        made = itertools.islice(source.part(part, weights, first=first), last - first)
        fit(objective, made, stage, [ema, keep], optimizer=optimizer, first=first)
    model.eval()
    mean = Ema(model, 0.0, calibration)
    with torch.no_grad():
        for parameter, values in zip(mean.average.parameters(), zip(*kept[-KEPT:], strict=True), strict=True):
            parameter.copy_(torch.stack(values).mean(0))
    return {"moving_average": ema.settled(), "mean_of_checkpoints": mean.settled()}


@torch.no_grad()
def by_error(model: UniversalRestorer, source: Source) -> tuple[int, ...]:
    """How often each label shall come, 1 to 4: twice its root mean squared error over the mean of all labels'."""
    model.eval()
    sums = torch.zeros(len(model.labels))
    counts = torch.zeros(len(model.labels))
    for batch in itertools.islice(source.part(0, first=2 * 10**9), 24):
        errors = (model.answer(batch.degraded)[0] - batch.clean).square().mean((1, 2, 3)).sqrt()
        sums.index_add_(0, batch.label, errors)
        counts.index_add_(0, batch.label, torch.ones_like(errors))
    shares = sums / counts
    return tuple(int(w) for w in (2 * shares / shares.mean()).round().clamp(1, 4))


@torch.no_grad()
def speed(model: UniversalRestorer) -> float:
    """Processor seconds a megapixel of a whole picture, one thread, float32 or bfloat16 as it is trained."""
    picture = torch.rand(1, 3, TIMED_SIDE, TIMED_SIDE).contiguous(memory_format=torch.channels_last)
    model.eval()
    times = []
    with reduced("cpu"):
        for _ in range(6):
            began = time.process_time()
            model.answer(picture)
            times.append(time.process_time() - began)
    return round(statistics.median(times[1:]) / (TIMED_SIDE**2 / 1e6), 3)


@torch.no_grad()
def measure(model: UniversalRestorer, mixture: MixtureConfig, clean: Path) -> dict[str, float]:
    """Mean gain in dB of each label over the held-out photographs, clipped; "clean" is the PSNR to the input."""
    model.eval()
    gains: dict[str, list[float]] = {label: [] for label in mixture.labels}
    for number, photo in enumerate(held_out(clean)):
        for place, step in enumerate((None, *mixture.degradations)):
            rng = torch.Generator().manual_seed(TEST_SEED + 1000 * number + place)
            degraded = photo if step is None else replay(photo, step.plan(rng, (0.5, 0.5)))
            with reduced("cpu"):
                picture = model.answer(degraded[None].contiguous(memory_format=torch.channels_last))[0]
            restored = psnr(picture[0].float().clamp(0, 1).numpy(), photo.numpy())
            before = 0.0 if step is None else psnr(degraded.numpy(), photo.numpy())
            gains[mixture.labels[place]].append(min(restored, 99.0) - before)
    means = {label: round(statistics.fmean(values), 3) for label, values in gains.items()}
    return {"mean_gain": round(statistics.fmean(list(means.values())[1:]), 3), **means}


def held_out(clean: Path) -> Sequence[Tensor]:
    """The centre of every held-out photograph, (3, SIDE, SIDE)."""
    folder = CleanFolder(clean, part="held_out", holdout=HOLDOUT)
    photos = [to_unit(folder.load(number)) for number in range(len(folder))]
    corners = [((p.shape[1] - SIDE) // 2, (p.shape[2] - SIDE) // 2) for p in photos]
    return [
        torch.from_numpy(p[:, top : top + SIDE, left : left + SIDE].copy())
        for p, (top, left) in zip(photos, corners, strict=True)
    ]


if __name__ == "__main__":
    main()
