"""One way of running a network, in a process of its own: prints its time and peak memory.

`python inference_ways.py restore|tile|any WAY FOLDER PICTURE.npy REPEATS BUDGET`: a whole picture through the Restorer,
or as one tile through the backend alone, made ready for tiles of this size or for any. The picture is (H, W, 3), uint8;
the folder may hold the model as .onnx.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from timing import Figures, peak_mb, timed

WEIGHTS = Path(__file__).parent.parent / "src" / "undegrade" / "weights"
MODEL = "default"
NAFNET = "published NAFNet, PyTorch f32"


@dataclass(frozen=True, kw_only=True)
class Way:
    """The arguments of `undegrade.Restorer`."""

    suffix: str  # of the model's file
    device: str = "cpu"
    precision: str = "auto"


# Every backend. A line here is all that a new one needs.
WAYS = {
    "OpenVINO bf16": Way(suffix=".xml", precision="bf16"),
    "OpenVINO f32": Way(suffix=".xml", precision="f32"),
    "ONNX Runtime f32": Way(suffix=".onnx", precision="f32"),
    "PyTorch f32": Way(suffix=".safetensors", precision="f32"),
    "PyTorch bf16": Way(suffix=".safetensors", precision="bf16"),
    "PyTorch on CUDA": Way(suffix=".safetensors", device="cuda"),
    "PyTorch on MPS": Way(suffix=".safetensors", device="mps"),
    "ONNX Runtime on CUDA": Way(suffix=".onnx", device="cuda"),
    "ONNX Runtime on CoreML": Way(suffix=".onnx", device="mps"),
}
# What each computes in, for the share of the machine's peak; only of the CPU, whose peak is measured.
DIGITS = {
    "OpenVINO bf16": "bf16",
    "OpenVINO f32": "f32",
    "ONNX Runtime f32": "f32",
    "PyTorch f32": "f32",
    "PyTorch bf16": "bf16",
    NAFNET: "f32",
}


def model_file(way: Way, folder: Path) -> Path:
    """The shipped model in the form that the way needs; as .onnx it lies in the folder."""
    return (folder if way.suffix == ".onnx" else WEIGHTS) / f"{MODEL}{way.suffix}"


def restoring(name: str, folder: Path, pixels: np.ndarray) -> tuple[Callable[[], object], Figures]:
    """Restores the picture as `undegrade.Restorer` does: looks at it, cuts it, puts it together; keeps the result."""
    way = WAYS[name]
    from undegrade import Restorer
    from undegrade.images.picture import Picture

    restorer = Restorer(model_file(way, folder), device=way.device, precision=way.precision)
    picture = Picture(pixels=pixels)
    found = restorer.restore(picture)
    if not found.changed:
        raise SystemExit(f"the picture was left alone ({found.diagnosis}), so nothing was measured")
    np.save(folder / f"{name}.npy", found.picture.pixels)
    return lambda: restorer.restore(picture), {"found": found.diagnosis.label}


def running_any(name: str, folder: Path, pixels: np.ndarray) -> tuple[Callable[[], object], Figures]:
    """The network alone, ready for any size, on the picture as one tile of a larger one."""
    return running_tile(name, folder, pixels, sized=False)


def running_tile(
    name: str, folder: Path, pixels: np.ndarray, *, sized: bool = True
) -> tuple[Callable[[], object], Figures]:
    """The network alone, ready for this size, on the picture as one tile of a larger one."""
    from undegrade.inference.backends import open_backend

    way = WAYS[name]
    backend = open_backend(model_file(way, folder), device=way.device, precision=way.precision)
    _, context = backend.run(pixels[:, :256, :256])
    ready = backend.for_size(*pixels.shape[1:]) if sized else backend
    return lambda: ready.run(pixels, context), {"name": backend.name}


def running_nafnet(pixels: np.ndarray) -> tuple[Callable[[], object], Figures]:
    """The published network as its users run it: eager PyTorch, float32, the picture as a whole.

    The weights are random; the speed does not depend on them.
    """
    import torch

    network, image = published_nafnet(), torch.from_numpy(pixels)[None]

    def step() -> object:
        with torch.inference_mode():
            return network(network.pad(image))

    return step, {"version": torch.__version__}


def published_nafnet():
    """NAFNet of width 32 with encoder (1, 1, 1, 28), as published for deblurring, in the house's copy."""
    from undegrade.networks.nafnet import NAFNet

    return NAFNet(NAFNet.Config(width=32, encoder=(1, 1, 1, 28), middle=1, decoder=(1, 1, 1, 1))).eval()


def main() -> None:
    what, name, folder, file, repeats, budget = sys.argv[1:]
    pixels = np.ascontiguousarray(np.load(file).transpose(2, 0, 1), dtype=np.float32) / np.float32(255)
    if name == NAFNET:
        step, about = running_nafnet(pixels)
    else:
        make = {"restore": restoring, "tile": running_tile, "any": running_any}[what]
        step, about = make(name, Path(folder), pixels)
    figures = timed(step, repeats=int(repeats), budget=float(budget))
    megapixels = pixels.shape[1] * pixels.shape[2] / 1e6
    print(json.dumps({**about, "megapixels": megapixels, **figures, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
