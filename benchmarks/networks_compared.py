"""Every network at a size for CPUs, trained for the same compute on five degradations, with and without DCPT before.

    undegrade data pack PHOTOS -o PACK
    OMP_NUM_THREADS=1 python benchmarks/networks_compared.py --clean PACK --test KODAK24 --out runs/compared \
        > benchmarks/results/networks_compared.json

Compute is processor seconds (`--seconds`, one thread, data included): a step is timed first, and the number of steps
follows. With DCPT, `SHARE` of the seconds teach to name. Each arm runs in a process of its own; a finished one is not
repeated, so the command can be stopped and given again. PSNR is of the centres of the test pictures at the middle of
each range. Networks that are told the kind or a sentence are told the true one, as in training; the others are not.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from machine import facts
from undegrade.batch import CLEAN
from undegrade.data.mixture import batches, open_mixture
from undegrade.degradations import replay
from undegrade.evaluation.inspection import count_macs
from undegrade.images import find_pictures, read_picture
from undegrade.metrics import psnr
from undegrade.networks import (
    AdaIR,
    DiffIR,
    DWFormer,
    GuidedNetwork,
    HOGformer,
    NAFNet,
    PIPNAFNet,
    PIPRestormer,
    PromptIR,
    Restormer,
    SwinIR,
    TextPromptIR,
    UniversalRestorer,
)
from undegrade.objectives import OBJECTIVES, DegradationClassification, PriorDiffusion, Restoration
from undegrade.recipes.generated import generated_5d
from undegrade.training.ema import Ema
from undegrade.training.loop import fit
from undegrade.training.recipe import Stage
from undegrade.training.run import build

SHARE = 0.3  # of the compute, for DCPT
SIDE, SPEED_SIDE = 96, 256  # pixels: of what is tested, and of what is timed
TEST_SEED = 20_261_124
CROP, BATCH = 64, 4
U = {"width": 16, "blocks": (1, 1, 1, 2), "refinement": 1, "heads": (1, 2, 4, 8)}
PROMPTS = {"degradations": 6, "prompt_channels": (16, 32, 64), "prompt_sides": (16, 8, 8)}
NETWORKS: dict[str, Any] = {
    "nafnet": NAFNet.Config(width=16, encoder=(1, 1, 2), middle=2, decoder=(1, 1, 1)),
    "pip_nafnet": PIPNAFNet.Config(width=16, encoder=(1, 1, 2), middle=2, decoder=(1, 1, 1), **PROMPTS),
    "restormer": Restormer.Config(**U),
    "promptir": PromptIR.Config(**U, prompt_channels=(16, 32, 64), prompt_sides=(16, 8, 8)),
    "adair": AdaIR.Config(**U, frequency_divisor=8),
    "pip_restormer": PIPRestormer.Config(**U, **PROMPTS),
    "textpromptir": TextPromptIR.Config(**U, embedding=384, kinds=6, number=16),
    "diffir": DiffIR.Config(**U, source="both", encoder_blocks=2),
    "hogformer": HOGformer.Config(**{**U, "width": 12}),
    "dwformer": DWFormer.Config(pooling="mean"),
    "swinir": SwinIR.Config(width=24, depths=(2, 2, 2), heads=(2, 2, 2), relative_positions=True, head_width=24),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clean", type=Path, required=True, help="pack, or folder, of clean photographs to train on")
    parser.add_argument("--test", type=Path, required=True, help="folder of clean photographs to test on")
    parser.add_argument("--out", type=Path, default=Path("runs/compared"), help="where the results of the arms lie")
    parser.add_argument("--seconds", type=float, default=240, help="of the processor, for each arm")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--finished", action="store_true", help="carry out nothing, print what is finished")
    parser.add_argument("--table", action="store_true", help="the same as rows of a table")
    parser.add_argument("--one", choices=("scratch", "dcpt", "size"), help="carry out one arm of the first network")
    options = parser.parse_args()
    torch.set_num_threads(1)  # processor time is then the time of the work
    if options.one:
        name = options.networks[0]
        done = size_of(name) if options.one == "size" else carry_out(name, options.one == "dcpt", options)
        (options.out / f"{name}-{options.one}.json").write_text(json.dumps(done, indent=1) + "\n")
        return
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = () if options.finished or options.table else options.networks
    for name, arm in itertools.product(wanted, ("size", "scratch", "dcpt")):
        if not (options.out / f"{name}-{arm}.json").exists():
            same = [
                str(part) for key in ("clean", "test", "out", "seconds") for part in (f"--{key}", vars(options)[key])
            ]
            subprocess.run([sys.executable, __file__, *same, "--networks", name, "--one", arm], check=True)
    rows = {path.stem: json.loads(path.read_text()) for path in sorted(options.out.glob("*.json"))}
    if options.table:
        print("\n".join(table(rows)))
        return
    print(json.dumps({"seconds": options.seconds, "arms": rows, "machine": facts()}, indent=1))


def table(rows: dict[str, Any]) -> list[str]:
    """A line for each network of which all arms are finished, the best one first."""
    lines = []
    for name, config in NETWORKS.items():
        found = [rows.get(f"{name}-{arm}") for arm in ("scratch", "dcpt", "size")]
        if any(one is None for one in found):
            continue
        scratch, dcpt, size = found
        means = [one["psnr_db"]["mean"] for one in (scratch, dcpt)]
        cells = [
            type(config).__qualname__.partition(".")[0],
            *(f"{mean:.2f}" for mean in means),
            " + ".join(map(str, scratch["steps"])),
            f"{size['million_parameters']:.2f}",
            f"{size['giga_macs_a_megapixel']:.0f}",
            f"{size['seconds_a_megapixel']:.1f}",
            f"{size['megabytes_for_256_pixels']:.0f}",
        ]
        lines.append((max(means), f"| {' | '.join(cells)} |"))
    return [line for _, line in sorted(lines, reverse=True)]


def recipe_of(name: str) -> Any:
    return replace(generated_5d(), network=NETWORKS[name])


def carry_out(name: str, pretrained: bool, options: argparse.Namespace) -> dict[str, Any]:
    """Train one arm and test it."""
    recipe = recipe_of(name)
    torch.manual_seed(0)
    model = build(recipe)
    restoring = replace(recipe.stages[1], crop=CROP, batch=BATCH, lr_floor=1e-3, ema=0.99)
    rest = options.seconds * (1 - SHARE if pretrained else 1)
    plan = [(DegradationClassification.Config(), options.seconds * SHARE)] if pretrained else []
    if name == "diffir":
        plan += [(PriorDiffusion.Config(learned="pair"), rest / 2), (PriorDiffusion.Config(), rest / 2)]
    else:
        plan.append((Restoration.Config(loss="psnr", rmse_weight=200.0), rest))
    steps = []
    for objective, seconds in plan:
        steps.append(train(model, replace(restoring, objective=objective), seconds, recipe, options.clean))
    return {"steps": steps, "psnr_db": measure(model, recipe, options.test)}


def train(model: UniversalRestorer, stage: Stage, seconds: float, recipe: Any, clean: Path) -> int:
    """Train in place for about so many processor seconds; the averaged weights stay. Returns the steps."""
    kind = next(kind for kind in OBJECTIVES.values() if kind.Config is type(stage.objective))  # type: ignore[attr-defined]
    made = batches(
        open_mixture(recipe.mixture, clean, (), part="train", holdout=10, batch=BATCH, crop=CROP, first=0), workers=0
    )
    timed, state = [], {key: value.clone() for key, value in model.state_dict().items()}
    fit(
        kind(stage.objective, model),
        made,
        replace(stage, steps=5, warmup=0),
        [lambda _: timed.append(time.process_time())],
    )
    model.load_state_dict(state)
    steps = max(10, round(seconds * 3 / (timed[4] - timed[1])))  # the first two warm up
    stage = replace(stage, steps=steps, warmup=steps // 10)
    objective = kind(stage.objective, model)
    average = Ema(model, stage.ema, list(itertools.islice(made, 8)))
    fit(objective, made, stage, [average])
    model.load_state_dict(average.settled().state_dict())
    return stage.steps


@torch.no_grad()
def measure(model: UniversalRestorer, recipe: Any, test: Path) -> dict[str, float]:
    """Mean PSNR of what was spoiled and of what was restored, over all and for each label."""
    model.eval()
    network, labels, steps = model.network, recipe.mixture.labels, recipe.mixture.degradations
    kinds = torch.tensor([[float(label == step.label) for label in labels] for step in steps])
    found: dict[str, list[tuple[float, float]]] = {label: [] for label in labels if label != CLEAN}
    for number, path in enumerate(find_pictures(test)):
        pixels = read_picture(path).pixels
        top, left = (pixels.shape[1] - SIDE) // 2, (pixels.shape[2] - SIDE) // 2
        clean = torch.from_numpy(pixels[:, top : top + SIDE, left : left + SIDE].copy()).float()
        plans = [
            step.plan(torch.Generator().manual_seed(TEST_SEED + 1000 * number + place), (0.5, 0.5))
            for place, step in enumerate(steps)
        ]
        degraded = torch.stack([replay(clean, plan) for plan in plans])
        image = degraded.contiguous(memory_format=torch.channels_last)
        if isinstance(network, GuidedNetwork) and not isinstance(network, DiffIR):
            guide = network.guide_of(image, image, kinds, (number,) * len(steps))
            features = network.told_features(image, guide)
        else:
            features = network.features(image)
        restored = network.reconstruct(image, features).clamp(0, 1)
        for step, before, after in zip(steps, degraded, restored, strict=True):
            found[step.label].append((psnr(before.numpy(), clean.numpy()), psnr(after.numpy(), clean.numpy())))
    means = {label: round(statistics.fmean(after for _, after in pairs), 2) for label, pairs in found.items()}
    before = statistics.fmean(statistics.fmean(first for first, _ in pairs) for pairs in found.values())
    return {"input": round(before, 2), "mean": round(statistics.fmean(means.values()), 2), **means}


@torch.no_grad()
def size_of(name: str) -> dict[str, float]:
    """Parameters, operations, time and memory of the network alone."""
    model = build(recipe_of(name)).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.rand(1, 3, SPEED_SIDE, SPEED_SIDE).contiguous(memory_format=torch.channels_last)
    before, times = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(6):
        began = time.process_time()
        model.network(image)
        times.append(time.process_time() - began)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    megapixels = SPEED_SIDE**2 / 1e6
    found = {
        "million_parameters": sum(p.numel() for p in model.network.parameters()) / 1e6,
        "giga_macs_a_megapixel": count_macs(model.network, image) / 1e9 / megapixels,
        "seconds_a_megapixel": statistics.median(times[1:]) / megapixels,
        "megabytes_for_256_pixels": (after - before) / 1024,
    }
    if isinstance(model.network, DiffIR):
        began = time.process_time()
        model.network.usual(image)
        found["seconds_of_the_diffusion_a_megapixel"] = (time.process_time() - began) / megapixels
    return {key: round(value, 3) for key, value in found.items()}


if __name__ == "__main__":
    main()
