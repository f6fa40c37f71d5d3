"""What a pre-training is worth: the same network, data and compute, with and without it, then the same fine-tuning.

    python benchmarks/pretraining_gain.py --clean PHOTOS --test Kodak24=DIR --test CBSD68=DIR --out runs/gain

Every run is a recipe in a folder of its own, is resumed when it was cut off, and is not repeated when it is done, so
the command can be stopped and given again. The table of all finished runs is printed as JSON.

Compute is counted in passes: one forward and backward of the network over one batch. `scratch` restores in all passes;
the others pre-train in the first share of them (DCPT needs two passes a step) and restore in the rest. The classifier
is dropped after pre-training, as published. `short` restores in the rest alone, without pre-training: what it lacks to
the others is what pre-training brought, and what these lack to `scratch` is what it cost.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from machine import facts
from undegrade.data.mixture import MixtureConfig
from undegrade.degradations import replay
from undegrade.images import find_pictures, read_picture
from undegrade.metrics import psnr
from undegrade.networks import UniversalRestorer
from undegrade.networks.checkpoint import load_checkpoint
from undegrade.objectives import DegradationClassification, MaskedDegradationClassification, MaskedImageModelling
from undegrade.recipes.generated import generated_5d, generated_10d, generated_mixed
from undegrade.training.precision import reduced
from undegrade.training.recipe import Recipe, Stage
from undegrade.training.run import Pace, Run

TARGETS = {"10d": generated_10d, "5d": generated_5d, "mixed": generated_mixed}
# The objective of the pre-training, and the passes of one step.
ARMS: dict[str, tuple[Any, int]] = {
    "scratch": (None, 1),
    "short": (None, 1),
    "dcpt": (DegradationClassification.Config(), 2),
    "joint": (DegradationClassification.Config(drawn="degraded"), 1),
    "maskdcpt": (MaskedDegradationClassification.Config(), 1),
    "mim": (MaskedImageModelling.Config(), 1),
}
SIDE = 256  # of the centre of each test picture, pixels
TEST_SEED = 20_261_123


def main() -> None:
    options = argument_parser().parse_args()
    tests = dict(text.split("=", 1) for text in options.test)
    for seed in options.seeds:
        for target in options.targets:
            for arm in options.arms:
                folder = options.out / f"{target}-{arm}-{seed}"
                if not (folder / "result.json").exists():
                    carry_out(make_recipe(target, arm, seed, options), folder, options.clean, tests)
    print(json.dumps(table(options.out), indent=2))


def argument_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clean", type=Path, required=True, help="folder of clean photographs to train on")
    parser.add_argument("--test", action="append", default=[], metavar="NAME=DIR", help="clean pictures to test on")
    parser.add_argument("--out", type=Path, default=Path("runs/gain"), help="where the runs lie")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--passes", type=int, default=2400, help="of a run in all")
    parser.add_argument("--share", type=float, default=0.4, help="of the passes that pre-train")
    return parser


def make_recipe(target: str, arm: str, seed: int, options: argparse.Namespace) -> Recipe:
    """One run: an arm of the comparison on a target with a seed."""
    objective, passes_a_step = ARMS[arm]
    first = round(options.passes * options.share)
    recipe = TARGETS[target]()
    naming, restoring, _ = recipe.stages
    naming = replace(naming, objective=objective, steps=first // passes_a_step)
    restoring = replace(restoring, steps=options.passes if arm == "scratch" else options.passes - first)
    return replace(
        recipe,
        name=f"gain-{target}-{arm}-{seed}",
        mixture=replace(recipe.mixture, seed=seed),
        seed=seed,
        stages=(naming, restoring) if objective else (restoring,),
    )


def carry_out(recipe: Recipe, folder: Path, clean: Path, tests: dict[str, str]) -> None:
    """Train, test and write `result.json`."""
    began = time.perf_counter()
    run = Run(
        recipe=recipe,
        clean=clean,
        folder=folder,
        validate=lambda model: {},
        show=lambda line: print(recipe.name, line, file=sys.stderr, flush=True),
        pace=Pace(log=50, save=250, validate=10**9),
    )
    model = load_checkpoint(run.train(resume=(folder / "recipe.json").exists()))
    result = {
        "passes": sum(s.steps * passes_of(s) for s in recipe.stages),
        "steps": [s.steps for s in recipe.stages],
        "seconds": round(time.perf_counter() - began),
        "seconds_a_step": seconds_a_step(folder),
        "pretraining_accuracy": last_accuracy(folder) if len(recipe.stages) > 1 else None,
        "tests": {name: measure(model, Path(path), recipe.mixture) for name, path in tests.items()},
    }
    (folder / "result.json").write_text(json.dumps(result, indent=2) + "\n")


def passes_of(stage: Stage) -> int:
    return next((passes for objective, passes in ARMS.values() if objective == stage.objective), 1)


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def seconds_a_step(folder: Path) -> list[float]:
    """The median of each stage."""
    times: dict[float, list[float]] = defaultdict(list)
    for line in lines(folder):
        if "s_per_step" in line:  # no validation
            times[line["stage"]].append(line["s_per_step"])
    return [round(statistics.median(values), 3) for values in times.values()]


def last_accuracy(folder: Path) -> float | None:
    """The share of training patches named rightly over the last 50 steps of the pre-training."""
    named = [line["accuracy"] for line in lines(folder) if line["stage"] == 0 and "accuracy" in line]
    return named[-1] if named else None


@torch.no_grad()
def measure(model: UniversalRestorer, folder: Path, mixture: MixtureConfig) -> dict[str, dict[str, float]]:
    """Mean PSNR in dB of the degraded and of the restored pictures, clipped and not quantised, for each label."""
    model.eval()
    sums: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number, clean in enumerate(test_pictures(folder)):
        for place, step in enumerate(mixture.degradations):
            rng = torch.Generator().manual_seed(TEST_SEED + 1000 * number + place)
            degraded = replay(clean, step.plan(rng))
            with reduced("cpu"):
                features = model.network.features(degraded[None].contiguous(memory_format=torch.channels_last))
                restored = model.network.reconstruct(degraded[None], features)[0].float().clamp(0, 1)
            pair = (psnr(degraded.numpy(), clean.numpy()), psnr(restored.numpy(), clean.numpy()))
            sums[step.label].append(pair)
    return {
        label: {
            "degraded": round(statistics.fmean(p[0] for p in pairs), 3),
            "restored": round(statistics.fmean(p[1] for p in pairs), 3),
        }
        for label, pairs in sums.items()
    }


def test_pictures(folder: Path) -> Iterator[torch.Tensor]:
    """The centre of each picture, `SIDE` pixels a side."""
    for path in find_pictures(folder):
        pixels = read_picture(path).pixels
        top, left = (pixels.shape[1] - SIDE) // 2, (pixels.shape[2] - SIDE) // 2
        yield torch.from_numpy(pixels[:, top : top + SIDE, left : left + SIDE].copy()).float()


def table(out: Path) -> dict[str, Any]:
    """Mean and spread over the seeds of the restored pictures' PSNR, by target, test set and arm."""
    runs: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    details = {}
    for path in sorted(out.glob("*/result.json")):
        target, arm, _ = path.parent.name.split("-")
        result = json.loads(path.read_text())
        details[path.parent.name] = result
        for test, labels in result["tests"].items():
            runs[target][test][arm].append(statistics.fmean(row["restored"] for row in labels.values()))
    rows = {
        target: {
            test: {
                arm: {
                    "psnr_db": round(statistics.fmean(values), 3),
                    "standard_deviation_db": round(statistics.stdev(values), 3) if len(values) > 1 else None,
                    "seeds": len(values),
                }
                for arm, values in arms.items()
            }
            for test, arms in tests.items()
        }
        for target, tests in runs.items()
    }
    return {"table": rows, "runs": details, "machine": facts()}


if __name__ == "__main__":
    main()
