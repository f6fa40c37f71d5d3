"""JPEG repaired by the network alone, and by its grid and its steps.

Clean pictures at several qualities, told that it is JPEG, unchecked.

python benchmarks/deblocking.py CLEAN [MODEL] > benchmarks/results/deblocking.json
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from machine import facts
from undegrade.deblocking import deblock, find_compression
from undegrade.evaluation.sets import open_pictures
from undegrade.images import jpeg_roundtrip
from undegrade.images.picture import to_unit
from undegrade.inference.backends import open_backend
from undegrade.inference.models import find_model
from undegrade.inference.tiling import samples
from undegrade.inference.treatment import steered
from undegrade.metrics import psnr, quantise

Pixels = NDArray[np.float32]
FILES = {"10": (10, 2), "20": (20, 2), "50": (50, 2), "80": (80, 2), "90": (90, 2), "95": (95, 2), "50, 4:4:4": (50, 0)}


def main() -> None:
    pictures = open_pictures(Path(sys.argv[1]), None)[0]
    clean = [to_unit(pictures.load(number)[1]) for number in range(len(pictures.pairs))]
    backend = open_backend(find_model(sys.argv[2] if len(sys.argv) > 2 else "default"))

    def network(picture: Pixels) -> Pixels:
        context = steered(backend.see(picture), backend.labels, "jpeg")
        return np.clip(backend.run(picture, context)[0], 0, 1)

    rows = [row(name, clean, network) for name in FILES]
    print(json.dumps({"pictures": len(clean), "rows": rows, "machine": facts()}, indent=1))


def row(name: str, clean: list[Pixels], network: Callable[[Pixels], Pixels]) -> dict[str, object]:
    """Gains in dB, and seconds, of one quality."""
    quality, chroma = FILES[name]
    gains: dict[str, list[float]] = {"network": [], "deblocked": []}
    seconds: dict[str, list[float]] = {"finding": [], "network": [], "deblocking": []}
    found = 0
    for picture in clean:
        bad = quantise(jpeg_roundtrip(picture, quality, chroma=chroma))
        boxes = [box for line in samples(*bad.shape[1:], multiple=16) for box in line]
        parts = [bad[:, box.top : box.top + box.height, box.left : box.left + box.width] for box in boxes]
        times = [time.perf_counter()]
        measured = find_compression(parts)
        times.append(time.perf_counter())
        pilot = network(bad)
        times.append(time.perf_counter())
        made = deblock(bad, pilot, measured) if measured else pilot
        times.append(time.perf_counter())
        found += measured is not None
        for way, pixels in (("network", pilot), ("deblocked", made)):
            gains[way].append(psnr(quantise(np.clip(pixels, 0, 1)), picture) - psnr(bad, picture))
        for number, what in enumerate(seconds):
            seconds[what].append(times[number + 1] - times[number])
    return {
        "quality": name,
        "found": found,
        "gain_db": {way: round(statistics.fmean(values), 2) for way, values in gains.items()},
        "worst_db": {way: round(min(values), 2) for way, values in gains.items()},
        "seconds": {what: round(statistics.median(values), 4) for what, values in seconds.items()},
    }


if __name__ == "__main__":
    main()
