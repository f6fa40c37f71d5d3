"""Which classical method is best for each kind: what `peer:classical` does.

    python benchmarks/peers.py --clean PHOTOS > benchmarks/results/peers.json

On crops of 256 pixels of photographs that are no test set, each degradation at its middle: mean gain in dB.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from machine import facts
from undegrade.degradations import DEGRADATIONS, TEN
from undegrade.evaluation.peers import PEERS
from undegrade.evaluation.run import centre_crop
from undegrade.images import find_pictures, read_picture
from undegrade.metrics import psnr, quantise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=Path, required=True, help="folder of clean photographs")
    parser.add_argument("--most", type=int, default=10, help="photographs, at most; taken evenly")
    given = parser.parse_args()
    paths = find_pictures(given.clean)
    chosen = [paths[round(i)] for i in np.linspace(0, len(paths) - 1, given.most)]
    crops = [quantise(centre_crop(read_picture(path).pixels, 256)) for path in chosen]
    table: dict[str, dict[str, float]] = {}
    for kind in TEN:
        step = DEGRADATIONS[kind]()
        gains: dict[str, list[float]] = {name: [] for name in PEERS if name != "classical"}
        for number, clean in enumerate(crops):
            rng = torch.Generator().manual_seed(number)
            degraded = quantise(step.degrade(torch.from_numpy(clean), rng, step.middle()).numpy())
            before = psnr(degraded, clean)
            for name, of_one in gains.items():
                of_one.append(psnr(quantise(PEERS[name].restore(degraded, kind)), clean) - before)
        table[kind] = {name: round(float(np.mean(values)), 2) for name, values in gains.items()}
    print(json.dumps({"machine": facts(), "pictures": len(crops), "gain_db": table}, indent=2))


if __name__ == "__main__":
    main()
