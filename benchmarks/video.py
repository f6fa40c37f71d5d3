"""Flicker of restored clips: pans of known motion over photographs, spoiled, through the whole of `undegrade video`.

python benchmarks/video.py PHOTO... > benchmarks/results/video.json
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from machine import facts
from undegrade.api import load
from undegrade.images import Picture, read_picture
from undegrade.inference.video.clip import read_clip
from undegrade.inference.video.encoding import plan_encoding
from undegrade.inference.video.frames import picture_of, planes_of
from undegrade.inference.video.restoration import Wish, restore_video
from undegrade.metrics import flicker, psnr

SIZE, FRAMES, MOTION = (224, 256), 24, (-1, -2)
COMPRESSED = 34  # x264's constant rate factor


def pan(photo: np.ndarray) -> list[np.ndarray]:
    """Views that move by whole pixels, so that what is seen moves by MOTION."""
    height, width = SIZE
    places = [(4 - i * MOTION[0], 4 - i * MOTION[1]) for i in range(FRAMES)]
    return [photo[:, top : top + height, left : left + width] for top, left in places]


def spoilers() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    rng = np.random.default_rng(0)
    pattern = rng.normal(0, 15 / 255, (3, *SIZE)).astype(np.float32)

    def noise(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
        return lambda frame: frame + rng.normal(0, sigma / 255, frame.shape).astype(np.float32)

    return {
        "clean": lambda frame: frame,
        "noise, sigma 15, new in each frame": noise(15),
        "the same, chroma halved": noise(15),
        "noise, sigma 3, new in each frame": noise(3),
        "noise, sigma 1, new in each frame": noise(1),
        "noise, sigma 15, the same in each frame": lambda frame: frame + pattern,
        "three stops less light, noise of sigma 2": lambda frame: noise(2)((frame**2.2 / 8) ** (1 / 2.2)),
        f"H.264, crf {COMPRESSED}": lambda frame: frame,
    }


def write(frames: list[np.ndarray], path: Path, name: str) -> None:
    compressed, halved = name.startswith("H.264"), name.endswith("halved")
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264" if compressed else "ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p" if compressed or halved else "bgr0"
        stream.options = {"crf": str(COMPRESSED)} if compressed else {}
        for i, pixels in enumerate(frames):
            samples = np.ascontiguousarray(np.moveaxis((pixels.clip(0, 1) * 255).round().astype(np.uint8), 0, 2))
            frame = av.VideoFrame.from_ndarray(samples, format="rgb24")
            if compressed or halved:
                frame = frame.reformat(format="yuv420p", dst_colorspace="ITU601", dst_color_range="MPEG")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def read(path: Path) -> list[Picture]:
    clip = read_clip(path)
    form = plan_encoding(clip, ".mkv", codec="ffv1").form
    with av.open(str(path)) as container:
        return [picture_of(planes_of(frame, form), form) for frame in container.decode(container.streams.video[0])]


def measure(clean: list[np.ndarray], degraded: list[np.ndarray], folder: Path, name: str) -> dict[str, object]:
    restorer = load()
    source, target = folder / "degraded.mkv", folder / "restored.mkv"
    write(degraded, source, name)
    wish = Wish(codec="ffv1", overwrite=True)
    done = restore_video(restorer, read_clip(source), target, wish, model="shipped")
    before = read(source)
    after = before if done.codec is None else read(target)
    alone = [restorer.restore(picture) for picture in before]
    decisions = [restored.changed for restored in alone]

    def figures(frames: list[np.ndarray]) -> dict[str, float]:
        mean = sum(map(psnr, frames, clean)) / len(frames)
        return {"flicker": round(flicker(frames, MOTION), 2), "psnr": round(float(mean), 2)}

    return {
        "found": done.shots[0].diagnosis.sentence,
        "restored": done.codec is not None,
        "degraded": figures([picture.pixels for picture in before]),
        "result": figures([picture.pixels for picture in after]),
        "judged frame by frame": figures([restored.picture.pixels for restored in alone]),
        "times that frame by frame changes its mind": sum(a != b for a, b in pairwise(decisions)),
        "seconds a frame": round(done.seconds / FRAMES, 3),
    }


def main() -> None:
    photos = [Path(name) for name in sys.argv[1:]]
    results: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, spoil in spoilers().items():
            results[name] = {"photos": {}}
            for photo in photos:
                clean = pan(read_picture(photo).pixels)
                degraded = [spoil(frame) for frame in clean]
                found = measure(clean, degraded, Path(folder), name)
                results[name]["photos"][photo.name] = found
            results[name] = {"mean": means(list(results[name]["photos"].values())), **results[name]}
    about = {"frames": FRAMES, "height": SIZE[0], "width": SIZE[1], "motion": MOTION}
    print(json.dumps({**about, "clips": results, "machine": facts()}, indent=2))


def means(found: list[dict[str, object]]) -> dict[str, object]:
    """The same keys, with means of the numbers."""
    first = found[0]
    made = {}
    for key, value in first.items():
        values = [one[key] for one in found]
        if isinstance(value, dict):
            made[key] = means(values)
        elif not isinstance(value, str):
            made[key] = round(sum(values) / len(values), 3)
    return made


if __name__ == "__main__":
    main()
