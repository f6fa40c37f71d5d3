"""The picture of the catalogue in docs/: every degradation at the middle of its ranges, on one photo.

python benchmarks/make_gallery.py examples/cat-well.png docs/degradations.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyvips
import torch

from undegrade.degradations import DEGRADATIONS
from undegrade.evaluation.run import centre_crop, quantise
from undegrade.images import read_picture

SIDE, ACROSS = 192, 8  # pixels of one picture, pictures in a row
GAP, LETTERS = 8, 26  # pixels


def main() -> None:
    photo, target = map(Path, sys.argv[1:])
    clean = centre_crop(read_picture(photo).pixels, SIDE)
    tiles = [tile("clean", clean)]
    for name, kind in DEGRADATIONS.items():
        rng = torch.Generator().manual_seed(1)
        tiles.append(tile(name, kind().degrade(torch.from_numpy(clean), rng, kind().middle()).numpy()))
    pyvips.Image.arrayjoin(tiles, across=ACROSS, shim=GAP, background=255).jpegsave(str(target), Q=82)


def tile(name: str, pixels: np.ndarray) -> pyvips.Image:
    """The picture with its name above, on white."""
    samples = np.ascontiguousarray(np.moveaxis(quantise(pixels) * 255, 0, 2).astype(np.uint8))
    picture = pyvips.Image.new_from_array(samples).copy(interpretation="srgb")
    text = pyvips.Image.text(name, font="sans 10", dpi=96)
    paper = pyvips.Image.black(SIDE, LETTERS) + 255
    ink = (255 - text).embed(0, 4, SIDE, LETTERS, extend="background", background=255)
    label = ink.crop(0, 0, SIDE, LETTERS).cast("uchar") if text.width <= SIDE else paper.cast("uchar")
    return label.bandjoin([label, label]).copy(interpretation="srgb").join(picture, "vertical")


if __name__ == "__main__":
    main()
