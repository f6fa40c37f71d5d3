"""How hard each label pulls at a network's weights: the norm of the gradient of a batch of its pictures alone.

    cd benchmarks; OMP_NUM_THREADS=1 python pull.py --clean PHOTOS > results/pull.json

What `label_weights` of `release-default` were made from. Takes two minutes of a core.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from pathlib import Path

import torch

from machine import facts
from undegrade.data.mixture import MixtureConfig, open_mixture
from undegrade.networks import UniversalRestorer
from undegrade.objectives import SelectiveRestoration
from undegrade.recipes.release import release_default
from undegrade.training.precision import reduced
from undegrade.training.run import build
from undegrade.training.start import start_from

RECIPE = release_default()
STAGE = RECIPE.stages[3]  # the last one without weights
WEIGHTS = Path(__file__).parents[1] / "src" / "undegrade" / "weights" / "default.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clean", type=Path, required=True, help="folder of clean photographs")
    parser.add_argument("--start", type=Path, default=WEIGHTS, help="checkpoint of release-default")
    parser.add_argument("--batches", type=int, default=6, help="of 8 pictures, for each label")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = build(RECIPE)
    start_from(model, options.start)
    alone = replace(RECIPE.mixture, seed=3, second=0.0, partly=0.0, untold=0)
    kinds = {
        label: replace(alone, weights=tuple(int(label == other) for other in alone.labels)) for label in alone.labels
    }
    kinds["nothing said: named"] = replace(alone, untold=1)
    norms = {name: pull(model, mixture, options.clean, options.batches) for name, mixture in kinds.items()}
    print(json.dumps({"batches": options.batches, "norms": norms, "machine": facts()}, indent=2))


def pull(model: UniversalRestorer, mixture: MixtureConfig, clean: Path, batches: int) -> float:
    """The mean norm, over some batches, of the gradient in the network's weights."""
    objective = SelectiveRestoration(STAGE.objective, model).train()
    data = open_mixture(mixture, clean, (), part="train", holdout=10, batch=STAGE.batch, crop=STAGE.crop, first=0)
    norms = []
    for number in range(batches):
        objective.zero_grad()
        with reduced("cpu"):
            loss = objective(data.make_batch(number))["loss"]
        loss.backward()
        gradients = [p.grad.norm() for p in model.network.parameters() if p.grad is not None]
        norms.append(float(torch.stack(gradients).norm()))
    return round(statistics.fmean(norms), 1)


if __name__ == "__main__":
    main()
