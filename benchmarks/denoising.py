"""Noise repaired by the network alone, and refined in the cosine transform, told that it is noise; and unaided.

Centres of 256 pixels of clean pictures, with Gaussian noise, that of photons, and a camera's, weak or not, as it is or
in a JPEG file, in steps of 1/255. Unaided the model has to see for itself that there is noise.

python benchmarks/denoising.py CLEAN [MODEL] > benchmarks/results/denoising.json
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import undegrade
from deblurring import Pixels, centre
from machine import facts
from undegrade.degradations import Step, replay
from undegrade.degradations.camera_noise import CameraNoise
from undegrade.degradations.chain import Chain
from undegrade.degradations.jpeg import Jpeg
from undegrade.degradations.noise import GaussianNoise
from undegrade.degradations.poisson_noise import PoissonNoise
from undegrade.denoising import NoiseLevel, find_noise
from undegrade.evaluation.peers import PEERS
from undegrade.evaluation.sets import open_pictures
from undegrade.images.picture import Picture, to_unit
from undegrade.inference.treatment import steered
from undegrade.inference.ways import repair
from undegrade.metrics import psnr, quantise

CAMERA, FILE = CameraNoise(), Jpeg(quality=(95, 95))
# What is applied, and how far each severity lies from its weakest, 0, to its strongest, 1.
NOISES: dict[str, tuple[Step, float]] = {
    **{f"sigma {sigma}": (GaussianNoise(sigma=(sigma, sigma)), 0.5) for sigma in (5, 10, 25, 50)},
    "photons": (PoissonNoise(), 0.5),
    "camera, weak": (CAMERA, 0.1),
    "camera": (CAMERA, 0.5),
    "camera, JPEG of quality 95": (Chain(steps=(CAMERA, FILE)), 0.5),
    "camera, weak, JPEG of quality 95": (Chain(steps=(CAMERA, FILE)), 0.1),
}


def main() -> None:
    pictures = open_pictures(Path(sys.argv[1]), None)[0]
    clean = [centre(to_unit(pictures.load(number)[1])) for number in range(len(pictures.pairs))]
    restorer = undegrade.load(sys.argv[2] if len(sys.argv) > 2 else "default")
    rows = [row(name, clean, restorer) for name in NOISES]
    print(json.dumps({"pictures": len(clean), "rows": rows, "machine": facts()}, indent=1))


def row(name: str, clean: list[Pixels], restorer: undegrade.Restorer) -> dict[str, object]:
    """Gains in dB, and seconds, of one noise; and how many are named noisy, and how many touched."""
    step, level = NOISES[name]
    backend = restorer.backend

    def network(picture: Pixels) -> Pixels:
        context = steered(backend.see(picture), backend.labels, "noise")
        return np.clip(backend.run(picture, context)[0], 0, 1)

    def repaired(picture: Pixels, measured: NoiseLevel | None, made: Pixels) -> Pixels:
        return repair(picture, measured, lambda: made, finished="noise" in backend.finished)

    found = {"named": 0, "touched": 0}
    gains: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for number, picture in enumerate(clean):
        rng = torch.Generator().manual_seed(number)
        noisy = quantise(replay(torch.from_numpy(picture), step.plan(rng, (level, level))).numpy())
        made: dict[str, Pixels] = {}

        def timed(way: str, repair: Callable[[], Pixels], made: dict[str, Pixels] = made) -> None:
            began = time.perf_counter()
            made[way] = repair()
            seconds.setdefault(way, []).append(time.perf_counter() - began)

        timed("network", lambda noisy=noisy: network(noisy))
        measured = find_noise([noisy])
        timed("refined", lambda noisy=noisy, measured=measured, made=made: repaired(noisy, measured, made["network"]))
        timed("non-local means", lambda noisy=noisy: PEERS["nlm"].restore(noisy, None))
        unaided = restorer.restore(Picture(pixels=noisy))
        made["unaided"] = unaided.picture.pixels
        found["named"] += unaided.diagnosis is not None and "noise" in unaided.diagnosis.present
        found["touched"] += unaided.changed
        for way, pixels in made.items():
            gains.setdefault(way, []).append(psnr(quantise(np.clip(pixels, 0, 1)), picture) - psnr(noisy, picture))
    return {
        "noise": name,
        "gain_db": {way: round(statistics.fmean(values), 2) for way, values in gains.items()},
        "worst_db": {way: round(min(values), 2) for way, values in gains.items()},
        "share": {word: round(number / len(clean), 2) for word, number in found.items()},
        "seconds": {way: round(statistics.median(values), 4) for way, values in seconds.items()},
    }


if __name__ == "__main__":
    main()
