"""What teaches the network that is told what to remove: one choice changed at a time, for the same number of steps.

    cd benchmarks; OMP_NUM_THREADS=1 python design_told.py --clean PHOTOS --steps 400 > results/design_told.json

Each arm starts from fresh weights at the second stage of `release-default`, without naming before, and is measured on
the tenth of the photographs that is held out, each degradation at its middle, told the true kind: mean gain in dB. A
finished arm is not repeated, so the command can be stopped and given again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from design import HOLDOUT, TEST_SEED, held_out
from machine import facts
from undegrade.data.mixture import MixtureConfig, batches, open_mixture
from undegrade.degradations import replay
from undegrade.metrics import psnr
from undegrade.networks import GuidedUNet, UniversalRestorer
from undegrade.objectives import SelectiveRestoration
from undegrade.recipes.release import WEIGHTS, release_default
from undegrade.training.loop import fit
from undegrade.training.precision import reduced
from undegrade.training.run import build

RECIPE = release_default()
STAGE = RECIPE.stages[1]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One choice changed against `base`."""

    network: GuidedUNet.Config = RECIPE.network
    objective: SelectiveRestoration.Config = STAGE.objective
    mixture: MixtureConfig = RECIPE.mixture
    lr: float = STAGE.lr
    optimizer: str = STAGE.optimizer
    change: Callable[[Any], None] = lambda network: None  # of the built network


def without_scales(network: GuidedUNet) -> None:
    """All kinds begin with all channels."""
    for name, parameter in network.named_parameters():
        if name.endswith("table") and "mix" not in name:
            parameter.data.zero_()


def without_mix(network: GuidedUNet) -> None:
    """One reading of the finest feature for all kinds."""
    network.mix.table.data.zero_()
    network.mix.table.requires_grad_(False)


ARMS = {
    "base": Arm(),
    "floor 1e-4, no root of the error": Arm(objective=replace(STAGE.objective, psnr_floor=1e-4, rmse_weight=0.0)),
    "floor 1e-3, no root of the error": Arm(objective=replace(STAGE.objective, rmse_weight=0.0)),
    "L1": Arm(objective=replace(STAGE.objective, psnr_weight=0.0, rmse_weight=0.0, l1_weight=100.0)),
    "whole wishes alone": Arm(mixture=replace(RECIPE.mixture, second=0.0, partly=0.0)),
    "rate 2e-3": Arm(lr=2e-3),
    "all pull alike": Arm(objective=replace(STAGE.objective, label_weights=tuple(WEIGHTS.values()))),
    "Muon": Arm(optimizer="muon"),
    "all channels for all at first": Arm(change=without_scales),
    "one reading for all": Arm(change=without_mix),
    "width 24": Arm(network=replace(RECIPE.network, channels=(24, 48, 96))),
    "width 48": Arm(network=replace(RECIPE.network, channels=(48, 96, 192))),
    "deeper": Arm(network=replace(RECIPE.network, encoder=(1, 2), middle=4, decoder=(2, 2))),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clean", type=Path, required=True, help="folder of clean photographs")
    parser.add_argument("--out", type=Path, default=Path("runs/told"), help="where the results of the arms lie")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.arms:
        path = options.out / f"{list(ARMS).index(name):02}-{options.steps}.json"
        if not path.exists():
            row = {"arm": name, **carry_out(ARMS[name], options.clean, options.steps)}
            path.write_text(json.dumps(row, indent=2) + "\n")
            print(row, file=sys.stderr, flush=True)
    rows = [json.loads(path.read_text()) for path in sorted(options.out.glob(f"*-{options.steps}.json"))]
    print(json.dumps({"steps": options.steps, "arms": rows, "machine": facts()}, indent=2))


def carry_out(arm: Arm, clean: Path, steps: int) -> dict[str, Any]:
    """Train and measure one arm."""
    torch.manual_seed(0)
    model = build(replace(RECIPE, network=arm.network))
    arm.change(model.network)
    stage = replace(
        STAGE,
        objective=arm.objective,
        steps=steps,
        lr=arm.lr,
        optimizer=arm.optimizer,
        lr_floor=0.01,
        warmup=50,
        ema=0.0,
    )
    data = open_mixture(
        arm.mixture, clean, (), part="train", holdout=HOLDOUT, batch=stage.batch, crop=stage.crop, first=0
    )
    began = time.process_time()
    fit(SelectiveRestoration(arm.objective, model), itertools.islice(batches(data, workers=0), steps), stage)
    seconds = time.process_time() - began
    parameters = sum(p.numel() for p in model.network.parameters())
    return {"processor_seconds": round(seconds), "parameters": parameters, **measure(model, clean)}


@torch.no_grad()
def measure(model: UniversalRestorer, clean: Path) -> dict[str, float]:
    """Mean gain in dB of each label over the held-out photographs, told the truth, clipped."""
    model.eval()
    labels, network = model.labels, model.network
    assert isinstance(network, GuidedUNet)
    gains: dict[str, list[float]] = {label: [] for label in labels[1:]}
    for number, photo in enumerate(held_out(clean)):
        for place, step in enumerate(RECIPE.mixture.degradations, 1):
            rng = torch.Generator().manual_seed(TEST_SEED + 1000 * number + place)
            degraded = replay(photo, step.plan(rng, (0.5, 0.5)))
            image = degraded[None].contiguous(memory_format=torch.channels_last)
            guide = F.one_hot(torch.tensor([place]), len(labels)).float()
            with reduced("cpu"):
                picture = network.reconstruct(image, network.told_features(image, guide))
            restored = picture[0].float().clamp(0, 1).numpy()
            gains[labels[place]].append(psnr(restored, photo.numpy()) - psnr(degraded.numpy(), photo.numpy()))
    means = {label: round(statistics.fmean(values), 3) for label, values in gains.items()}
    return {"mean_gain": round(statistics.fmean(means.values()), 3), **means}


if __name__ == "__main__":
    main()
