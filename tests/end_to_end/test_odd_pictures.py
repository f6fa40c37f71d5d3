"""Pictures that are no photographs, and hardly pictures: nothing crashes, and nothing that is well is spoiled."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from undegrade.api import load
from undegrade.images import Picture
from undegrade.metrics import psnr

Pixels = NDArray[np.float32]
SIDE = 320  # pixels
HARMLESS = 40.0  # dB: a change that is not seen


def drawn(draw: Callable[[ImageDraw.ImageDraw], None], background: str = "white") -> Pixels:
    image = Image.new("RGB", (SIDE, SIDE), background)
    draw(ImageDraw.Draw(image))
    return np.asarray(image, np.float32).transpose(2, 0, 1) / 255


def text_scan() -> Pixels:
    def draw(pen: ImageDraw.ImageDraw) -> None:
        for line in range(16):
            pen.text((20, 16 + 18 * line), "The quick brown fox jumps over the lazy dog, twice.", fill="black")

    return drawn(draw)


def screenshot() -> Pixels:
    def draw(pen: ImageDraw.ImageDraw) -> None:
        pen.rectangle((0, 0, SIDE, 24), fill="#2b5797")
        pen.text((8, 6), "File  Edit  View  Help", fill="white")
        for row in range(8):
            pen.rectangle((12, 40 + 32 * row, 200, 62 + 32 * row), outline="#888888", fill="#f4f4f4")
            pen.text((18, 44 + 32 * row), f"Entry {row}: value {row * 37}", fill="#222222")
        pen.ellipse((220, 60, 300, 140), fill="#d24726")

    return drawn(draw, "#e1e1e1")


def drawing() -> Pixels:
    def draw(pen: ImageDraw.ImageDraw) -> None:
        for i in range(9):
            pen.arc((10 + 12 * i, 10 + 9 * i, 300 - 8 * i, 300 - 5 * i), 20 * i, 200 + 20 * i, fill="black", width=2)
        pen.polygon(((60, 250), (160, 90), (260, 250)), fill="#f2c14e", outline="black")

    return drawn(draw, "#fffbe6")


def gradient() -> Pixels:
    return np.broadcast_to(np.linspace(0, 1, SIDE, dtype=np.float32), (3, SIDE, SIDE)).copy()


def checkers() -> Pixels:
    rows, columns = np.indices((SIDE, SIDE))
    return np.broadcast_to(((rows + columns) % 2).astype(np.float32), (3, SIDE, SIDE)).copy()


def flat(value: float) -> Pixels:
    return np.full((3, SIDE, SIDE), value, np.float32)


ODD = {
    "text scan": text_scan(),
    "screenshot": screenshot(),
    "drawing": drawing(),
    "gradient": gradient(),
    "checkers": checkers(),
    "black": flat(0),
    "gray": flat(0.5),
    "white": flat(1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_what_is_no_photograph_is_not_spoiled(name: str) -> None:
    restored = load().restore(Picture(pixels=ODD[name]))
    assert restored.diagnosis is not None
    if restored.changed:
        assert psnr(restored.picture.pixels, ODD[name]) > HARMLESS, restored.diagnosis.sentence


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (31, 31), (300, 2)])
def test_what_is_too_small_is_unknown(size: tuple[int, int]) -> None:
    found = load().diagnose(Picture(pixels=np.full((3, *size), 0.3, np.float32)))
    assert found.label == "unknown"
    assert "32 x 32 are needed" in found.sentence
