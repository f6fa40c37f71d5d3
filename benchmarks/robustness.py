"""What is left of naming on small pictures and at severe levels; and what resizing and normalising first cost.

    python benchmarks/robustness.py --clean Kodak24 --out benchmarks/results/robustness.json

Crops of 512 pixels are made smaller, then spoiled at a level, then named: by the gate (what is found at all) and by the
network's own classifier. Resizing and normalising are done to spoiled crops of 256 pixels, as a careless pipeline
would; the factor and the way stand in the table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from machine import facts
from undegrade import Restorer
from undegrade.degradations import DEGRADATIONS, TEN
from undegrade.evaluation.robustness import weighted_robustness
from undegrade.evaluation.run import centre_crop
from undegrade.images import find_pictures, read_picture
from undegrade.inference.models import DEFAULT_MODEL
from undegrade.metrics import quantise

Pixels = NDArray[np.float32]

WHOLE = 512  # pixels, side of the crops that are made smaller
SIDES = (512, 256, 128, 64)
LEVELS = (0.9, 0.7, 0.5, 0.3, 0.1)  # of plain sight first
FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0)
CHANCE = 1 / (len(TEN) + 1)


def resized(picture: Pixels, factor: float) -> Pixels:
    """By cubic interpolation, antialiased."""
    side = round(picture.shape[1] * factor)
    made = F.interpolate(torch.from_numpy(picture)[None], (side, side), mode="bicubic", antialias=True)[0]
    return quantise(made.numpy())


def stretched(picture: Pixels) -> Pixels:
    """Each channel from its darkest value to its brightest, as 0 to 1."""
    low, high = picture.min((1, 2), keepdims=True), picture.max((1, 2), keepdims=True)
    return quantise((picture - low) / np.maximum(high - low, 1e-3))


def standardised(picture: Pixels) -> Pixels:
    """Mean 0.45 and deviation 0.25 of all values, as means and deviations are subtracted for other networks."""
    return quantise((picture - picture.mean()) / max(float(picture.std()), 1e-3) * 0.25 + 0.45)


WAYS = {"as it is": lambda picture: picture, "stretched": stretched, "standardised": standardised}


def spoiled(clean: Pixels, kind: str, level: float, seed: int) -> Pixels:
    """8 bits."""
    step, rng = DEGRADATIONS[kind](), torch.Generator().manual_seed(seed)
    return quantise(step.degrade(torch.from_numpy(clean), rng, step.at_level(level)).numpy())


def names(restorer: Restorer, picture: Pixels) -> tuple[bool | str, str]:
    """What the gate names first, and what the network's own classifier does."""
    context = restorer.see(picture)[None]
    labels = restorer.backend.labels
    return restorer.judge.name(context, labels).label, labels[int(np.argmax(context[0, -len(labels) :]))]


def rightly(restorer: Restorer, pictures: list[Pixels], kind: str) -> list[float]:
    """The share that each names rightly."""
    found = [names(restorer, picture) for picture in pictures]
    return [float(np.mean([pair[place] == kind for pair in found])) for place in range(2)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=Path, required=True, help="folder of clean pictures")
    parser.add_argument("--most", type=int, default=12, help="pictures, at most")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    restorer = Restorer(given.model)
    photos = [quantise(read_picture(path).pixels) for path in find_pictures(given.clean)[: given.most]]
    whole, middle = ([centre_crop(photo, side) for photo in photos] for side in (WHOLE, 256))
    grid = np.zeros((2, len(TEN), len(SIDES), len(LEVELS)))
    for d, kind in enumerate(TEN):
        for s, side in enumerate(SIDES):
            small = [resized(photo, side / photo.shape[1]) for photo in whole]
            for n, level in enumerate(LEVELS):
                grid[:, d, s, n] = rightly(restorer, [spoiled(p, kind, level, i) for i, p in enumerate(small)], kind)
    spoilt = {kind: [spoiled(photo, kind, 0.5, i) for i, photo in enumerate(middle)] for kind in TEN}
    by_factor = {
        str(factor): np.mean([rightly(restorer, [resized(p, factor) for p in spoilt[k]], k) for k in TEN], 0).tolist()
        for factor in FACTORS
    }
    by_way = {
        name: np.mean([rightly(restorer, [way(p) for p in spoilt[k]], k) for k in TEN], 0).tolist()
        for name, way in WAYS.items()
    }
    sizes, _ = weighted_robustness(grid[..., 2], CHANCE)  # at level 0.5
    levels, _ = weighted_robustness(grid[:, :, 1], CHANCE)  # at 256 pixels
    answer = {
        "machine": facts(),
        "pictures": len(photos),
        "judges": ["gate", "own classifier"],
        "sides": SIDES,
        "levels": LEVELS,
        "accuracy": {kind: grid[:, d].round(3).tolist() for d, kind in enumerate(TEN)},
        "mean": grid.mean(1).round(3).tolist(),
        "weighted_robustness": {"sides": sizes.round(3).tolist(), "levels": levels.round(3).tolist()},
        "resized": by_factor,
        "normalised": by_way,
    }
    given.out.write_text(json.dumps(answer, indent=2) + "\n")


if __name__ == "__main__":
    main()
