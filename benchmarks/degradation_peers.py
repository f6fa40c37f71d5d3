"""The same job done by other libraries: milliseconds a patch on one core, beside `degradations.py`.

Runs in an environment of its own: pip install albumentations imagecorruptions. What is not installed is left out and
named. The peers take and give 8-bit arrays (H, W, 3), their natural form, at their default or middle severity.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import numpy as np

SIDES = (128, 256)
REPEATS = 30
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


def main() -> None:
    answer: dict[str, object] = {"repeats": REPEATS}
    for package, table, make in (
        ("albumentations", ALBUMENTATIONS, _albumentations),
        ("imagecorruptions", IMAGECORRUPTIONS, _imagecorruptions),
    ):
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


def median_ms(work: Work, side: int) -> float:
    """The median over `REPEATS` calls, after one that is not counted."""
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    times = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        work(image)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:]) * 1000


if __name__ == "__main__":
    main()
