"""Milliseconds a patch, and patches a second, for each degradation and mixture, on one core, at two sizes."""

from __future__ import annotations

import itertools
import json
import statistics
import time

import torch

from machine import facts
from undegrade.degradations import COMPOUNDS, DEGRADATIONS, find_step, replay
from undegrade.errors import UndegradeError

SIDES = (128, 256)
REPEATS = 30
ROUNDS = 3  # the least of their medians counts


def main() -> None:
    torch.set_num_threads(1)
    medians: dict[str, dict[str, float | str]] = {}
    # Rounds over all of them, as other work on the machine comes and goes; it only adds.
    for _, name in itertools.product(range(ROUNDS), (*DEGRADATIONS, *COMPOUNDS)):
        try:
            row = {f"{side}px_ms": round(median_ms(name, side), 3) for side in SIDES}
            medians[name] = {key: min(value, medians.get(name, row)[key]) for key, value in row.items()}
        except UndegradeError as error:  # a codec that is not installed
            medians[name] = {"left_out": str(error)}
    times = [row["128px_ms"] for row in (medians[name] for name in DEGRADATIONS) if "128px_ms" in row]
    summary = {"median_of_the_degradations_128px_ms": statistics.median(times), "repeats": REPEATS, "rounds": ROUNDS}
    rows = {name: {**row, **patches_per_s(row)} for name, row in medians.items()}
    print(json.dumps({**summary, "degradations": rows, "machine": facts()}, indent=2))


def patches_per_s(row: dict[str, float | str]) -> dict[str, float]:
    """The same figures the other way round."""
    times = {key.removesuffix("_ms"): value for key, value in row.items() if isinstance(value, float)}
    return {f"{side}_patches_per_s": round(1000 / value, 1) for side, value in times.items()}


def median_ms(name: str, side: int) -> float:
    """The median over `REPEATS` draws of the whole range of severities, after one that is not counted."""
    clean = torch.rand((3, side, side), generator=torch.Generator().manual_seed(0))
    step, rng, times = find_step(name), torch.Generator().manual_seed(0), []
    for _ in range(REPEATS + 1):
        records = step.plan(rng)
        began = time.perf_counter()
        replay(clean, records)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:]) * 1000


if __name__ == "__main__":
    main()
