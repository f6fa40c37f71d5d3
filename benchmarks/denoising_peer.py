"""BM3D, told the true sigma, on the noise row of `generated_10d`: what a denoiser has to beat.

Its licence is not for commercial use, so it is nothing but a figure to compare with.

pip install bm3d; python benchmarks/denoising_peer.py KODAK24 > benchmarks/results/denoising_peer.json
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import bm3d
import numpy as np

from machine import facts
from undegrade.degradations import DEGRADATIONS
from undegrade.evaluation.rulers import find_ruler
from undegrade.evaluation.run import Plan, make
from undegrade.evaluation.sets import open_pictures
from undegrade.evaluation.suite import find_suite, tasks_of


def main() -> None:
    folder, ruler = Path(sys.argv[1]), find_ruler("undegrade")
    suite = find_suite("generated_10d")
    assert suite is not None
    plan = Plan(data=folder, layout=None, ruler=ruler, metrics=("psnr",))
    sigma = DEGRADATIONS["noise"]().middle()["sigma"]
    values, seconds = [], []
    for task in tasks_of(suite, open_pictures(folder, None)[0]):
        if task.row != "noise":
            continue
        degraded, clean = make(plan, task)
        began = time.process_time()
        restored = bm3d.bm3d_rgb(degraded.transpose(1, 2, 0), sigma / 255).transpose(2, 0, 1)
        seconds.append(time.process_time() - began)
        values.append(ruler.measure(restored.clip(0, 1).astype(np.float32), clean, ("psnr",))["psnr"])
    row = {"sigma": sigma, "pictures": len(values), "psnr_db": statistics.fmean(values)}
    print(json.dumps({"bm3d": {**row, "processor_seconds": statistics.median(seconds)}, "machine": facts()}, indent=1))


if __name__ == "__main__":
    main()
