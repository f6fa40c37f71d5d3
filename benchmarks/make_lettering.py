"""Make the letters of text overlays and watermarks: distances to the outlines of DejaVu, as matplotlib brings it.

python make_lettering.py ../src/undegrade/degradations/lettering.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt

from undegrade.degradations.lettering import BASELINE, CAP, CHARACTERS, FACES, ROWS, SPREAD

FINE = 8  # drawn samples a stored one, along each side
FILES = dict(zip(FACES, ("Sans", "Sans-Bold", "Serif", "Serif-Italic", "SansMono-Bold"), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    answer: dict[str, NDArray] = {}
    for face, file in FILES.items():
        glyphs, advances = zip(*(draw(character, font_of(file)) for character in CHARACTERS), strict=True)
        answer[face] = np.concatenate(glyphs, 1)
        answer[f"{face}_widths"] = np.array([glyph.shape[1] for glyph in glyphs], np.int16)
        answer[f"{face}_advances"] = np.array(advances, np.float32)
    np.savez_compressed(parser.parse_args().out, **answer)


def font_of(file: str) -> ImageFont.FreeTypeFont:
    """The face at the size at which an H is `CAP` * `FINE` pixels high."""
    path = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"DejaVu{file}.ttf")
    _, top, _, bottom = ImageFont.truetype(path, 1000).getbbox("H", anchor="ls")
    return ImageFont.truetype(path, round(1000 * CAP * FINE / (bottom - top)))


def draw(character: str, font: ImageFont.FreeTypeFont) -> tuple[NDArray[np.uint8], float]:
    """Distances (ROWS, w), 0 at `SPREAD` samples outside to 255 at as many inside; and the advance, samples."""
    left, _, right, _ = font.getbbox(character, anchor="ls")
    advance = font.getlength(character) / FINE
    # The same room on both sides of the advance, so that all letters are placed alike.
    beyond = SPREAD + max(0, int(np.ceil(max(-left, right - font.getlength(character)) / FINE)))
    width = int(np.ceil(advance)) + 2 * beyond
    canvas = Image.new("L", (width * FINE, ROWS * FINE))
    # Drawn from the middle of the cell, where its advance has its middle too.
    start = width * FINE / 2 - font.getlength(character) / 2
    ImageDraw.Draw(canvas).text((start, BASELINE * FINE), character, fill=255, font=font, anchor="ls")
    ink = np.asarray(canvas) >= 128
    if not ink.any():
        return np.zeros((ROWS, width), np.uint8), advance
    distance = (distance_transform_edt(ink) - distance_transform_edt(~ink)) / FINE
    mean = distance.reshape(ROWS, FINE, width, FINE).mean((1, 3))
    return np.rint((mean / (2 * SPREAD) + 0.5).clip(0, 1) * 255).astype(np.uint8), advance


if __name__ == "__main__":
    main()
