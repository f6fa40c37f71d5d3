"""The same job done by other libraries: milliseconds a patch on one core, beside `degradations.py`.

Runs in an environment of its own: pip install albumentations imagecorruptions basicsr. What is not installed is left
out and named. The peers take and give arrays (H, W, 3), their natural form (8 bits, for basicsr float32 in [0, 1]), at
their default or middle severity.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import numpy as np

SIDES = (128, 256)
REPEATS = 30
ROUNDS = 3  # other work on the machine only adds
Work = Callable[[np.ndarray], object]

# Our label -> the peer's name for the same thing.
ALBUMENTATIONS = {
    "noise": "GaussNoise",
    "poisson_noise": "ShotNoise",
    "speckle_noise": "MultiplicativeNoise",
    "salt_and_pepper": "SaltAndPepper",
    "camera_noise": "ISONoise",
    "motion_blur": "MotionBlur",
    "defocus_blur": "Defocus",
    "gaussian_blur": "GaussianBlur",
    "zoom_blur": "ZoomBlur",
    "ringing": "RingingOvershoot",
    "downsampling": "Downscale",
    "jpeg": "ImageCompression",
    "rain": "RandomRain",
    "snow": "RandomSnow",
    "fog": "RandomFog",
    "raindrops": "Spatter",
    "shadow": "RandomShadow",
    "uneven_illumination": "Illumination",
    "chromatic_aberration": "ChromaticAberration",
    "quantisation": "Posterize",
}
IMAGECORRUPTIONS = {
    "noise": "gaussian_noise",
    "poisson_noise": "shot_noise",
    "salt_and_pepper": "impulse_noise",
    "speckle_noise": "speckle_noise",
    "gaussian_blur": "gaussian_blur",
    "defocus_blur": "defocus_blur",
    "motion_blur": "motion_blur",
    "zoom_blur": "zoom_blur",
    "snow": "snow",
    "fog": "fog",
    "raindrops": "spatter",
    "jpeg": "jpeg_compression",
    "pixelation": "pixelate",
    "faded": "contrast",
}

BASICSR = ("noise", "poisson_noise", "jpeg", "gaussian_blur", "generalised_gaussian_blur", "plateau_blur", "ringing")


def main() -> None:
    answer: dict[str, object] = {"repeats": REPEATS, "rounds": ROUNDS}
    peers: tuple[tuple[str, dict[str, str], Callable[[str], Work]], ...] = (
        ("albumentations", ALBUMENTATIONS, _albumentations),
        ("imagecorruptions", IMAGECORRUPTIONS, _imagecorruptions),
        ("basicsr", {label: label for label in BASICSR}, _basicsr),
    )
    for package, table, make in peers:
        try:
            rows: dict[str, object] = {"version": version(package)}
        except PackageNotFoundError:
            answer[package] = "not installed"
            continue
        for label, name in table.items():
            try:
                work = make(name)
                rows[label] = {"name": name, **{f"{side}px_ms": round(median_ms(work, side), 3) for side in SIDES}}
            except Exception as error:  # whatever the peer does
                rows[label] = {"name": name, "failed": f"{type(error).__name__}: {error}".splitlines()[0][:120]}
        answer[package] = rows
    print(json.dumps(answer, indent=2))


def _albumentations(name: str) -> Work:
    import albumentations
    import cv2

    cv2.setNumThreads(1)
    transform = getattr(albumentations, name)(p=1.0)
    return lambda image: transform(image=image)


def _imagecorruptions(name: str) -> Work:
    from imagecorruptions import corrupt

    return lambda image: corrupt(image, corruption_name=name, severity=3)


def _basicsr(label: str) -> Work:
    """Its functions for real-world training data, in the middle of the ranges that Real-ESRGAN draws from."""
    import types

    import cv2
    import torch
    import torchvision.transforms.functional as transforms

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    # basicsr 1.4.2 imports a module that torchvision has no more; one function of it is enough.
    stand_in = types.ModuleType("torchvision.transforms.functional_tensor")
    stand_in.rgb_to_grayscale = transforms.rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules.setdefault(stand_in.__name__, stand_in)
    from basicsr.data import degradations

    def blurred(kind: str) -> Work:
        options = {"sigma_x_range": (0.2, 3), "sigma_y_range": (0.2, 3), "betag_range": (0.5, 4), "betap_range": (1, 2)}
        return lambda image: cv2.filter2D(image, -1, degradations.random_mixed_kernels([kind], [1], 21, **options))

    def cut_off(image: np.ndarray) -> np.ndarray:
        return cv2.filter2D(image, -1, degradations.circular_lowpass_kernel(1.9, 21))

    works: dict[str, Work] = {
        "noise": lambda image: degradations.random_add_gaussian_noise(image, (1, 30)),
        "poisson_noise": lambda image: degradations.random_add_poisson_noise(image, (0.05, 3)),
        "jpeg": lambda image: degradations.add_jpg_compression(image, 60),
        "gaussian_blur": blurred("aniso"),
        "generalised_gaussian_blur": blurred("generalized_aniso"),
        "plateau_blur": blurred("plateau_aniso"),
        "ringing": cut_off,
    }
    return lambda image: works[label](image.astype(np.float32) / 255)


def median_ms(work: Work, side: int) -> float:
    """The least of `ROUNDS` medians over `REPEATS` calls, after one that is not counted."""
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    medians = []
    for _ in range(ROUNDS):
        times = []
        for _ in range(REPEATS + 1):
            began = time.perf_counter()
            work(image)
            times.append(time.perf_counter() - began)
        medians.append(statistics.median(times[1:]))
    return min(medians) * 1000


if __name__ == "__main__":
    main()
