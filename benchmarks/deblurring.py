"""Blur found and undone, against undoing it with the true kernel, by this and by scikit-image's methods.

Clean pictures' centres of 256 pixels, blurred in linear light by a drawn camera path or aperture, in steps of 1/255.
Nothing is checked here: what a repair that fails costs is what the gate is there to see.

python benchmarks/deblurring.py CLEAN > benchmarks/results/deblurring.json
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
from numpy.typing import NDArray
from skimage.restoration import richardson_lucy, unsupervised_wiener

from machine import facts
from undegrade.deblurring import Blur, deconvolve
from undegrade.deblurring.finding import DEFOCUS, SHAKE
from undegrade.degradations import DEGRADATIONS
from undegrade.degradations.convolution import convolve
from undegrade.degradations.defocus_blur import aperture
from undegrade.degradations.motion_blur import camera_path
from undegrade.evaluation.sets import open_pictures
from undegrade.images.colour import to_display, to_linear
from undegrade.images.picture import to_unit
from undegrade.inference.ways import measure, repair
from undegrade.metrics import psnr, quantise

Pixels = NDArray[np.float32]
CAUTION = {"motion_blur": SHAKE, "defocus_blur": DEFOCUS}
LEVELS, SIDE, BORDER = (0.1, 0.3, 0.5, 0.7, 0.9), 256, 32


def main() -> None:
    pictures = open_pictures(Path(sys.argv[1]), None)[0]
    clean = [centre(to_unit(pictures.load(number)[1])) for number in range(len(pictures.pairs))]
    rows = [row(kind, level, clean) for kind in CAUTION for level in LEVELS]
    print(json.dumps({"pictures": len(clean), "rows": rows, "machine": facts()}, indent=1))


def centre(picture: Pixels) -> Pixels:
    top, left = ((length - SIDE) // 2 for length in picture.shape[1:])
    return picture[:, top : top + SIDE, left : left + SIDE]


def row(kind: str, level: float, clean: list[Pixels]) -> dict[str, object]:
    """Gains in dB, and seconds, of one kind and level."""
    gains: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for number, picture in enumerate(clean):
        kernel = drawn(kind, level, number)
        light = convolve(torch.from_numpy(to_linear(picture)), torch.from_numpy(kernel)).numpy()
        spoiled = quantise(to_display(np.clip(light, 0, 1)))
        began = time.perf_counter()
        blur = measure(kind, [spoiled])
        seconds.setdefault("finding", []).append(time.perf_counter() - began)
        told = Blur(kernel=kernel, caution=CAUTION[kind])
        ways: dict[str, Callable[[], Pixels]] = {
            "found": lambda blur=blur, spoiled=spoiled: repair(spoiled, blur, lambda spoiled=spoiled: spoiled),
            "told": lambda told=told, spoiled=spoiled: deconvolve(spoiled, told),
            "told, Richardson-Lucy": lambda kernel=kernel, spoiled=spoiled: in_light(
                spoiled, lambda plane: richardson_lucy(plane, kernel, num_iter=30)
            ),
            "told, unsupervised Wiener": lambda kernel=kernel, spoiled=spoiled: in_light(
                spoiled, lambda plane: unsupervised_wiener(plane, kernel, clip=False, rng=0)[0]
            ),
        }
        for name, undo in ways.items():
            began = time.perf_counter()
            made = undo()
            seconds.setdefault(name, []).append(time.perf_counter() - began)
            gains.setdefault(name, []).append(psnr(made, picture) - psnr(spoiled, picture))
    found = gains["found"]
    return {
        "kind": kind,
        "level": level,
        "gain_db": {name: round(statistics.fmean(values), 2) for name, values in gains.items()},
        "found_share": round(sum(gain > 1 for gain in found) / len(found), 2),
        "worst_db": round(min(found), 2),
        "seconds": {name: round(statistics.median(values), 4) for name, values in seconds.items()},
    }


def drawn(kind: str, level: float, seed: int) -> Pixels:
    """Of half of the apertures a polygon, as in the catalogue."""
    rng, severities = torch.Generator().manual_seed(seed), DEGRADATIONS[kind]().at_level(level)
    if kind == "motion_blur":
        return camera_path(rng, **severities).numpy()
    return aperture(severities["radius"], blades=0 if seed % 2 else 5 + seed % 5, turn=float(seed)).numpy()


def in_light(picture: Pixels, undo: Callable[[Pixels], Pixels]) -> Pixels:
    """Each plane of linear light with a mirrored border."""
    wide = np.pad(to_linear(picture), ((0, 0), (BORDER, BORDER), (BORDER, BORDER)), "reflect").astype(np.float64)
    made = np.stack([undo(plane) for plane in wide])[:, BORDER:-BORDER, BORDER:-BORDER]
    return to_display(np.clip(made, 0, 1).astype(np.float32))


if __name__ == "__main__":
    main()
