"""How far the changes of a network and of the filter should go in `undegrade.deblocking`: after other weights, anew.

Least squares over centres of 256 pixels of clean photographs, and of the same made half as large, at eight qualities:
weights of the filter's and of the network's change, of brightness and of colour, each with what is used now.

python benchmarks/deblocking_fit.py PHOTOS [MODEL]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from deblurring import centre
from undegrade.deblocking import find_compression
from undegrade.deblocking.colours import planes
from undegrade.deblocking.estimation import (
    FINISHED,
    FIRST,
    STRENGTHS,
    Frame,
    _colour,
    _filtered,
)
from undegrade.deblocking.lattice import BLOCK
from undegrade.deblocking.wiener import blocks
from undegrade.evaluation.sets import open_pictures
from undegrade.images import jpeg_roundtrip
from undegrade.images.picture import to_unit
from undegrade.inference.backends import open_backend
from undegrade.inference.models import find_model
from undegrade.inference.treatment import steered
from undegrade.transform import Pixels

QUALITIES = (10, 20, 35, 50, 70, 80, 90, 95)
EVERY, SIDE = 25, 256


def main() -> None:
    pictures = open_pictures(Path(sys.argv[1]), None)[0]
    clean: list[Pixels] = []
    for number in range(7, len(pictures.pairs), EVERY):
        whole = to_unit(pictures.load(number)[1])
        half = F.interpolate(torch.from_numpy(whole)[None], scale_factor=0.5, mode="bicubic", antialias=True)[0]
        clean += [centre(one) for one in (whole, half.clamp(0, 1).numpy()) if min(one.shape[1:]) >= SIDE]
    backend = open_backend(find_model(sys.argv[2] if len(sys.argv) > 2 else "default"))
    shares = FINISHED if "jpeg" in backend.finished else FIRST
    for quality in QUALITIES:
        sums = {name: (np.zeros((2, 2)), np.zeros(2)) for name in ("brightness", "colour", "network alone")}
        strengths = []
        for picture in clean:
            bad = jpeg_roundtrip(picture, quality)
            found = find_compression([bad])
            if found is None:
                continue
            strength = float(np.log(np.clip(found.brightness.scale, *STRENGTHS)))
            strengths.append(strength)
            made = np.clip(backend.run(bad, steered(backend.see(bad), backend.labels, "jpeg"))[0], 0, 1)
            was = planes(bad)
            change, truth = planes(made) - was, planes(picture) - was
            frame = Frame(was[0].shape, found.corner)
            plane, louder = frame.around(was[0]), np.exp(shares.log_louder.at(strength)) * frame.around(change[0])
            filtered = frame.inside(_filtered(plane, plane + louder, blocks(plane, BLOCK), found.brightness, 2))
            weight = 1 / float(np.square(truth[0]).mean())
            add(sums["network alone"], np.zeros_like(change[0]), change[0], truth[0], weight)
            add(sums["brightness"], filtered, change[0], truth[0], weight)
            for number in (1, 2) if found.colour is not None else ():
                filtered = _colour(was[number], change[number], found.colour)
                add(sums["colour"], filtered, change[number], truth[number], weight)
        strength = float(np.mean(strengths))
        best = {name: np.linalg.lstsq(*both)[0].round(2).tolist() for name, both in sums.items()}
        used = {
            "brightness": [float(line.at(strength).round(2)) for line in (shares.filtered, shares.beside)],
            "colour": [shares.filtered_colour, float(shares.beside_colour.at(strength).round(2))],
        }
        print(f"quality {quality}, strength {strength:.2f}: filter and network best {best}, used {used}", flush=True)


def add(sums: tuple[np.ndarray, np.ndarray], filtered: Pixels, change: Pixels, truth: Pixels, weight: float) -> None:
    """The normal equations of one more plane."""
    columns = np.stack([filtered.ravel(), change.ravel()])
    sums[0][:] += weight * columns @ columns.T
    sums[1][:] += weight * columns @ truth.ravel()


if __name__ == "__main__":
    main()
