"""One picture through the shipped model, by every way of running it; each in a process of its own."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from machine import facts

WEIGHTS = Path(__file__).parent.parent / "src" / "undegrade" / "weights"
WAYS = ("torch float32", "torch bfloat16", "openvino float32", "openvino bfloat16")
SIDE, REPEATS = 512, 9


def run_one(way: str) -> None:
    """Print the median time, the peak memory and the output's file of one way."""
    picture = np.random.default_rng(0).random((3, SIDE, SIDE), dtype=np.float32)
    step = _torch(way, picture) if way.startswith("torch") else _openvino(way, picture)
    output = step()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    np.save(sys.argv[2], output)
    print(json.dumps({"ms": round(statistics.median(times) * 1000), "peak_mib": peak}))


def _torch(way, picture):
    import torch

    from undegrade.networks.checkpoint import load_checkpoint

    model = load_checkpoint(WEIGHTS / "universal-small.safetensors").to(memory_format=torch.channels_last)
    image = torch.from_numpy(picture)[None].contiguous(memory_format=torch.channels_last)

    def step():
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=way.endswith("bfloat16")):
            return model(image)[0][0].float().numpy()

    return step


def _openvino(way, picture):
    from undegrade.inference.openvino import OpenVinoBackend

    precision = "bf16" if way.endswith("bfloat16") else "f32"
    backend = OpenVinoBackend(WEIGHTS / "universal-small.xml", precision=precision)
    return lambda: backend.run(picture)[0]


def main() -> None:
    results, outputs = {}, {}
    for way in WAYS:
        file = Path(f".runtime-{way.replace(' ', '-')}.npy")
        command = [sys.executable, __file__, way, str(file)]
        results[way] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        outputs[way] = np.load(file)
        file.unlink()
    reference = outputs[WAYS[0]]
    for way in WAYS:
        error = float(np.square(outputs[way] - reference).mean())
        results[way]["psnr_to_torch_float32"] = round(-10 * np.log10(error), 1) if error else None
        results[way]["times_faster_than_torch_float32"] = round(results[WAYS[0]]["ms"] / results[way]["ms"], 2)
    print(json.dumps({"side": SIDE, "repeats": REPEATS, "ways": results, "machine": facts()}, indent=2))


if __name__ == "__main__":
    run_one(sys.argv[1]) if len(sys.argv) > 1 else main()
