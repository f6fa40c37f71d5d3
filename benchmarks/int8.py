"""What int8 gains and costs: the shipped model quantised after training, beside bf16, by turns.

    pip install nncf; python benchmarks/int8.py --clean PHOTOS --test KODAK24 > benchmarks/results/int8.json

Calibrated by NNCF on generated degradations of held-out photographs, each repaired as its own kind; the first and the
last convolution stay as they are, or all are quantised. Compared: seconds a megapixel of one tile, and mean PSNR over
the ten degradations at their middles on the test photographs, told the true kind.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import torch

from machine import facts
from undegrade.degradations import DEGRADATIONS, replay
from undegrade.images import find_pictures, read_picture
from undegrade.inference.models import DEFAULT_MODEL, find_model
from undegrade.inference.openvino import OpenVinoBackend, openvino_core, trusting
from undegrade.inference.treatment import steered
from undegrade.metrics import psnr

SIDE, TILE, SEED = 256, (448, 608), 20_261_128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clean", type=Path, required=True, help="photographs to calibrate on")
    parser.add_argument("--test", type=Path, required=True, help="photographs to measure on")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--pictures", type=int, default=12, help="to measure on")
    options = parser.parse_args()
    nncf.set_log_level(logging.ERROR)  # it logs where the result is printed
    path = find_model(options.model)
    backend = OpenVinoBackend(path)
    model = trusting(openvino_core().read_model(path))
    model.reshape({"image": [1, 3, SIDE, SIDE]})
    samples = list(specimens(options.clean, backend, count=60, every=10))
    tests = list(specimens(options.test, backend, count=10 * options.pictures, every=1))
    convolutions = [op.get_friendly_name() for op in model.get_ordered_ops() if "Convolution" in op.get_type_name()]
    ways: dict[str, Any] = {"bf16": model}
    for name, kept in (("int8", []), ("int8 but first and last", [convolutions[0], convolutions[-1]])):
        with redirect_stdout(sys.stderr):  # its bars
            ways[name] = nncf.quantize(
                model.clone(),
                nncf.Dataset(samples, lambda sample: {"image": sample[0], "context": sample[1]}),
                preset=nncf.QuantizationPreset.MIXED,
                ignored_scope=nncf.IgnoredScope(names=kept),
                subset_size=len(samples),
            )
    rows = {name: {"psnr_db": quality(way, tests)} for name, way in ways.items()}
    for name, seconds in speeds(ways, samples[0][1]).items():
        rows[name]["seconds_a_megapixel"] = seconds
    print(json.dumps({"rows": rows, "machine": facts()}, indent=1))


def specimens(folder: Path, backend: OpenVinoBackend, *, count: int, every: int) -> Iterator[tuple[Any, Any, Any]]:
    """Degraded centre, context that asks for its repair, and the clean centre; kinds by turns."""
    kinds = [label for label in backend.labels if label in DEGRADATIONS]
    paths = find_pictures(folder)[every - 1 :: every]
    for number in range(count):
        pixels = read_picture(paths[number // len(kinds) % len(paths)]).pixels
        top, left = ((side - SIDE) // 2 for side in pixels.shape[1:])
        clean = torch.from_numpy(pixels[:, top : top + SIDE, left : left + SIDE].copy()).float()
        kind = kinds[number % len(kinds)]
        rng = torch.Generator().manual_seed(SEED + number)
        degraded = replay(clean, DEGRADATIONS[kind]().plan(rng, (0.5, 0.5))).numpy()
        _, context = backend.run(degraded)
        yield degraded[None], steered(context, backend.labels, kind)[None], clean.numpy()


def compiled(model: Any) -> Any:
    config = {"INFERENCE_PRECISION_HINT": "bf16", "PERFORMANCE_HINT": "LATENCY"}
    return openvino_core().compile_model(model, "CPU", config)


def quality(model: Any, tests: list[tuple[Any, Any, Any]]) -> float:
    """Mean PSNR, dB."""
    run = compiled(model)
    found = [psnr(run({"image": image, "context": context})[0][0].clip(0, 1), clean) for image, context, clean in tests]
    return round(statistics.fmean(found), 3)


def speeds(ways: dict[str, Any], context: Any) -> dict[str, float]:
    """Median seconds a megapixel of a tile, by turns."""
    runs = {}
    for name, model in ways.items():
        sized = model.clone()
        sized.reshape({"image": [1, 3, *TILE]})
        runs[name] = compiled(sized)
    image = np.random.default_rng(0).random((1, 3, *TILE), np.float32)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(15):
        for name, run in runs.items():
            began = time.perf_counter()
            run({"image": image, "context": context})
            times[name].append(time.perf_counter() - began)
    return {name: round(statistics.median(of[2:]) / (TILE[0] * TILE[1] / 1e6), 3) for name, of in times.items()}


if __name__ == "__main__":
    main()
