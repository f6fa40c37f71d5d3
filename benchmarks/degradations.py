"""Milliseconds a patch for each degradation, on one core."""

from __future__ import annotations

import json
import statistics
import time

import torch

from machine import facts
from undegrade.degradations import DEGRADATIONS

REPEATS = 60


def main() -> None:
    torch.set_num_threads(1)
    clean = torch.rand((3, 96, 96), generator=torch.Generator().manual_seed(0))
    medians = {}
    for name, kind in DEGRADATIONS.items():
        degradation, rng = kind(), torch.Generator().manual_seed(0)
        times = []
        for _ in range(REPEATS):
            severities = degradation.sample(rng)
            began = time.perf_counter()
            degradation.degrade(clean, rng, severities)
            times.append(time.perf_counter() - began)
        medians[name] = round(statistics.median(times) * 1000, 3)
    print(json.dumps({"ms_per_96px_patch": medians, "repeats": REPEATS, "machine": facts()}, indent=2))


if __name__ == "__main__":
    main()
