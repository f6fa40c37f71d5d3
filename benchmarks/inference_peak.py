"""What the machine could do at best, and what the networks ask of it; one figure in a process.

`python inference_peak.py torch|openvino f32|bf16 REPEATS BUDGET`: a matrix product, 10^9 operations a second.
`python inference_peak.py count`: multiply-adds of the networks, by PyTorch's counter.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import numpy as np

from inference_ways import MODEL, NAFNET, WEIGHTS, published_nafnet
from timing import Figures, timed

LIBRARIES, DIGITS = ("torch", "openvino"), ("f32", "bf16")
SIDES = (2048, 4096)  # of the square matrices; smaller ones do not fill the machine
TILE = 512  # pixels; the side of the picture on which multiply-adds are counted


def _torch(side: int, digits: str) -> Callable[[], object]:
    import torch

    kind = {"f32": torch.float32, "bf16": torch.bfloat16}[digits]
    left, right = (torch.rand(side, side).to(kind) for _ in range(2))
    return lambda: left @ right


def _openvino(side: int, digits: str) -> Callable[[], object]:
    from undegrade.inference.openvino import openvino, openvino_core

    rng, ov = np.random.default_rng(0), openvino()
    left, right = (rng.random((side, side), dtype=np.float32) for _ in range(2))
    given = ov.opset13.parameter([side, side], dtype=np.float32)
    product = ov.opset13.matmul(given, ov.opset13.constant(right), False, False)
    # The sum of rows is so small a part that it does not count, and spares copying the product.
    answer = ov.opset13.reduce_sum(product, ov.opset13.constant(np.array([0])), False)
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": digits}
    compiled = openvino_core().compile_model(ov.Model([answer], [given]), "CPU", settings)
    return lambda: compiled([left])


def measure(library: str, digits: str, repeats: int, budget: float) -> Figures:
    """The most over the sizes; the least time of the repeats, because it is a peak that is sought."""
    make = {"torch": _torch, "openvino": _openvino}[library]
    found = {}
    for side in SIDES:
        times = timed(make(side, digits), repeats=repeats, budget=budget)
        found[side] = round(2 * side**3 / float(str(times["least"])) / 1e9, 1)
    return {"gflops": max(found.values()), "by_side": found}


def count() -> Figures:
    """Multiply-adds a pixel and parameters of the shipped network, with its head, and of the published one."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from undegrade.networks.checkpoint import load_checkpoint

    shipped, published = load_checkpoint(WEIGHTS / f"{MODEL}.safetensors").eval(), published_nafnet()
    image = torch.rand(1, 3, TILE, TILE)
    context = torch.zeros(1, shipped.num_context)
    works = {
        MODEL: (shipped, lambda: shipped.answer_part(image, context, torch.tensor(1.0))),
        NAFNET: (published, lambda: published(image)),
    }
    figures: Figures = {}
    for name, (network, work) in works.items():
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            work()
        figures[name] = {
            # The counter gives two operations for each multiply-add.
            "multiply_adds_per_pixel": counter.get_total_flops() // 2 // TILE**2,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
        }
    return figures


def main() -> None:
    if sys.argv[1] == "count":
        print(json.dumps(count()))
        return
    library, digits, repeats, budget = sys.argv[1:]
    print(json.dumps(measure(library, digits, int(repeats), float(budget))))


if __name__ == "__main__":
    main()
