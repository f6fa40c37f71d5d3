"""Even noise repaired by the network alone, and refined in the cosine transform.

Centres of 256 pixels of clean pictures, with Gaussian noise, that of photons, and a camera's, in steps of 1/255; told
that it is noise, unchecked.

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

from deblurring import Pixels, centre
from machine import facts
from undegrade.degradations import DEGRADATIONS
from undegrade.denoising import find_noise, refine
from undegrade.evaluation.peers import PEERS
from undegrade.evaluation.sets import open_pictures
from undegrade.images.picture import to_unit
from undegrade.inference.backends import open_backend
from undegrade.inference.models import find_model
from undegrade.inference.treatment import steered
from undegrade.metrics import psnr, quantise

NOISES = {
    "sigma 5": ("noise", {"sigma": 5.0}),
    "sigma 10": ("noise", {"sigma": 10.0}),
    "sigma 25": ("noise", {"sigma": 25.0}),
    "sigma 50": ("noise", {"sigma": 50.0}),
    "photons": ("poisson_noise", None),
    "camera": ("camera_noise", None),
}


def main() -> None:
    pictures = open_pictures(Path(sys.argv[1]), None)[0]
    clean = [centre(to_unit(pictures.load(number)[1])) for number in range(len(pictures.pairs))]
    backend = open_backend(find_model(sys.argv[2] if len(sys.argv) > 2 else "default"))

    def network(picture: Pixels) -> Pixels:
        context = steered(backend.see(picture), backend.labels, "noise")
        return np.clip(backend.run(picture, context)[0], 0, 1)

    rows = [row(name, clean, network) for name in NOISES]
    print(json.dumps({"pictures": len(clean), "rows": rows, "machine": facts()}, indent=1))


def row(name: str, clean: list[Pixels], network: Callable[[Pixels], Pixels]) -> dict[str, object]:
    """Gains in dB, and seconds, of one noise."""
    kind, severities = NOISES[name]
    step = DEGRADATIONS[kind]()
    gains: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for number, picture in enumerate(clean):
        rng = torch.Generator().manual_seed(number)
        noisy = quantise(step.degrade(torch.from_numpy(picture), rng, severities or step.middle()).numpy())
        made: dict[str, Pixels] = {}

        def timed(way: str, repair: Callable[[], Pixels], made: dict[str, Pixels] = made) -> None:
            began = time.perf_counter()
            made[way] = repair()
            seconds.setdefault(way, []).append(time.perf_counter() - began)

        timed("network", lambda noisy=noisy: network(noisy))
        measured = find_noise([noisy])
        timed("refined", lambda noisy=noisy, measured=measured, made=made: _refined(noisy, made["network"], measured))
        timed("non-local means", lambda noisy=noisy: PEERS["nlm"].restore(noisy, None))
        for way, pixels in made.items():
            gains.setdefault(way, []).append(psnr(quantise(np.clip(pixels, 0, 1)), picture) - psnr(noisy, picture))
    return {
        "noise": name,
        "gain_db": {way: round(statistics.fmean(values), 2) for way, values in gains.items()},
        "worst_db": {way: round(min(values), 2) for way, values in gains.items()},
        "seconds": {way: round(statistics.median(values), 4) for way, values in seconds.items()},
    }


def _refined(noisy: Pixels, pilot: Pixels, measured: object) -> Pixels:
    return refine(noisy, pilot, measured) if measured else pilot


if __name__ == "__main__":
    main()
