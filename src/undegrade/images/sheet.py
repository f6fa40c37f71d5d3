"""Contact sheets: pictures before and after, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.images.picture import Picture, from_unit, to_unit
from undegrade.images.vips import vips
from undegrade.images.writing import write_picture

# Neutral grays, 0 to 255: a coloured or dark surround would change how the pictures look.
BACKGROUND, LABEL, CAPTION = 240, 40, 120
# All in pixels of the sheet.
MARGIN, PAIR_GAP, SEAM, LINE, LINE_GAP = 32, 40, 4, 22, 8
LABEL_FONT, CAPTION_FONT = "sans bold 12", "sans 10"

Pair = tuple[str, NDArray[np.float32], NDArray[np.float32]]


def before_after_sheet(rows: Sequence[Pair], path: str | Path, *, cell: int = 384, pairs_across: int = 2) -> None:
    """Writes one picture that shows each pair before and after, labelled, on a light neutral gray.

    Args:
        rows: (label, before, after); pixels (3, H, W) in [0, 1], taken as sRGB. Without any font on the machine the
            labels are left out.
        path: of the sheet, ending as one of `SUFFIXES`.
        cell: each picture fits into a square of this side, in pixels; smaller ones are enlarged.
        pairs_across: how many pairs stand side by side.

    Raises:
        UndegradeError: no rows, a shape other than (3, H, W), or a path that cannot be written.
    """
    if not rows:
        raise UndegradeError("rows: none; expected at least one (label, before, after)")
    if cell < 16 or pairs_across < 1:
        raise UndegradeError(f"cell: {cell}, pairs_across: {pairs_across}; expected at least 16 and 1")
    pairs = [(label, _fit(before, cell), _fit(after, cell)) for label, before, after in rows]
    column = max(before.shape[1] + SEAM + after.shape[1] for _, before, after in pairs)
    across = min(pairs_across, len(pairs))
    lines = [pairs[i : i + across] for i in range(0, len(pairs), across)]
    heights = [max(image.shape[0] for _, *images in line for image in images) for line in lines]
    text_height = LINE + LINE_GAP
    width = 2 * MARGIN + across * column + (across - 1) * PAIR_GAP
    height = 2 * MARGIN + sum(heights) + len(lines) * text_height + (len(lines) - 1) * PAIR_GAP
    sheet = np.full((height, width, 3), BACKGROUND, np.uint8)
    top = MARGIN
    for line, line_height in zip(lines, heights, strict=True):
        for place, pair in enumerate(line):
            _draw_pair(sheet, pair, MARGIN + place * (column + PAIR_GAP), top)
        top += text_height + line_height + PAIR_GAP
    write_picture(Picture(pixels=to_unit(np.ascontiguousarray(np.moveaxis(sheet, 2, 0)))), path)


def _fit(pixels: NDArray[np.float32], cell: int) -> NDArray[np.uint8]:
    """(3, H, W) in [0, 1] -> (h, w, 3) uint8 with its longer side `cell`."""
    if pixels.ndim != 3 or pixels.shape[0] != 3:
        raise UndegradeError(f"rows: pixels of shape {pixels.shape}; expected (3, H, W)")
    samples = np.ascontiguousarray(np.moveaxis(from_unit(pixels, np.uint8), 0, 2))
    scale = cell / max(samples.shape[:2])
    if scale == 1:
        return samples
    image = vips().Image.new_from_array(samples).resize(scale, kernel="lanczos3" if scale < 1 else "cubic")
    fitted: NDArray[np.uint8] = image.numpy()
    return fitted


def _draw_pair(sheet: NDArray[np.uint8], pair: tuple[str, Any, Any], left: int, top: int) -> None:
    """One pair with its top left corner there: the label at the left, the caption at the right end of its line."""
    label, before, after = pair
    seam = left + before.shape[1]
    width = before.shape[1] + SEAM + after.shape[1]
    caption = _text("before, after", CAPTION_FONT, width // 3)
    _draw_text(sheet, caption, left + width - caption.shape[1], top, CAPTION)
    room = max(0, width - caption.shape[1] - 2 * LINE_GAP)
    _draw_text(sheet, _text(label, LABEL_FONT, room), left, top, LABEL)
    for image, image_left in ((before, left), (after, seam + SEAM)):
        image_top = top + LINE + LINE_GAP
        sheet[image_top : image_top + image.shape[0], image_left : image_left + image.shape[1]] = image


@cache
def _has_font() -> bool:
    """Whether text is drawn as text: without any font, letters are boxes of one size."""
    small, large = (vips().Image.text("A", font=f"sans {size}", dpi=96) for size in (10, 40))
    return bool(large.height > 2 * small.height)


def _text(text: str, font: str, room: int | None = None) -> NDArray[np.uint8]:
    """Coverage (h, w) of one line of text, 0 to 255, shortened to `room` pixels; w is 0 where none can be drawn."""
    text = " ".join(text.split())
    pyvips = vips()
    try:
        if not text or not _has_font():
            return np.zeros((0, 0), np.uint8)
        # libvips crops to the ink. "Ay|" behind the text, cut off again, gives every line the same height and baseline.
        tail = pyvips.Image.text("Ay|", font=font, dpi=96)
        line = pyvips.Image.text(f"{escape(text)}  Ay|", font=font, dpi=96)
        coverage: NDArray[np.uint8] = line.numpy()[:, : line.width - tail.width - 2]
    except pyvips.Error:
        return np.zeros((0, 0), np.uint8)
    if room is None or coverage.shape[1] <= room:
        return coverage
    if len(text) < 3:
        return np.zeros((0, 0), np.uint8)
    return _text(text[: max(1, int(len(text) * room / coverage.shape[1]) - 2)].rstrip() + "…", font, room)


def _draw_text(sheet: NDArray[np.uint8], coverage: NDArray[np.uint8], left: int, top: int, gray: int) -> None:
    """Draws text in `gray`, standing on the bottom of its line."""
    height, width = min(coverage.shape[0], LINE), coverage.shape[1]
    place = sheet[top + LINE - height : top + LINE, left : left + width]
    ink = coverage[:height, :, None].astype(np.float32) / 255
    place[:] = np.rint(place + (gray - place.astype(np.float32)) * ink).astype(np.uint8)
