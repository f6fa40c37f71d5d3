"""Makes the photos of `examples/`: free photographs that scikit-image ships, spoiled by the catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage import data

import undegrade
from undegrade.images import from_object, write_picture

FOLDER = Path(__file__).parent.parent / "examples"
# File, photograph, crop (top, left, height, width), what is done to it.
EXAMPLES = (
    ("astronaut-scratched.png", data.astronaut, (0, 80, 320, 320), ("inpainting(count=6, thickness=3)",)),
    ("cat-noisy.png", data.chelsea, (0, 60, 300, 320), ("noise(sigma=30)",)),
    ("cat-well.png", data.chelsea, (0, 60, 300, 320), ()),
    ("coffee-dark.png", data.coffee, (20, 120, 340, 440), ("low_light(stops=3, shot=0.0004)",)),
    ("coffee-out-of-focus.png", data.coffee, (20, 120, 340, 440), ("defocus_blur(radius=2.5)",)),
    ("rocket-compressed.png", data.rocket, (60, 160, 320, 320), ("jpeg(quality=12)",)),
    ("rocket-hazy.png", data.rocket, (60, 160, 320, 320), ("haze(density=1.4, airlight=0.85)",)),
    ("astronaut-rain.png", data.astronaut, (0, 80, 320, 320), ("rain(density=4, length=22, angle=12)",)),
)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, photograph, (top, left, height, width), specs in EXAMPLES:
        image = np.ascontiguousarray(photograph()[top : top + height, left : left + width])
        spoiled = undegrade.degrade(image, *specs, seed=1).image if specs else image
        write_picture(from_object(spoiled)[0], FOLDER / name)


if __name__ == "__main__":
    main()
