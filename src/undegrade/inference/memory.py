"""How large tiles may be for the memory that there is."""

from __future__ import annotations

import re
from pathlib import Path

from undegrade.errors import UndegradeError

# Rows and columns of tiles, pixels, at least twice their overlap: what is computed twice grows down the list. Wide
# pictures get low tiles, because a whole row of them is held.
TILES = (
    *((512, 512), (256, 1024), (384, 384), (256, 512), (128, 1024)),
    *((256, 256), (128, 512), (128, 256), (128, 128)),
)
BAND = 48 << 20  # bytes of a row of tiles, where no budget is given
BYTES_OF_BAND = 3 * 4 * 2  # of each pixel of a row of tiles: what is summed up, and what is being written
BYTES_OF_TILE = 760  # of each pixel of a tile, inside universal-small, float32 (bfloat16: 623); docs/performance.md
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def choose_tile(width: int, budget: int | None) -> tuple[int, int]:
    """Rows and columns of the tiles into which a picture is cut, pixels.

    Args:
        width: of the picture, pixels.
        budget: bytes that the whole process may take; None: as little as costs no time.

    Raises:
        UndegradeError: the budget is too small for any tile.
    """
    if budget is None:
        wide = [tile for tile in TILES[:2] if tile[0] * width * BYTES_OF_BAND <= BAND]
        return (wide or [(128, 1024)])[0]
    taken = resident()
    for rows, columns in TILES:
        if taken + _needed(width, rows, columns) <= budget:
            return rows, columns
    least = (taken + _needed(width, *TILES[-1])) / 1e6
    raise UndegradeError(f"memory: {budget / 1e6:.0f} MB; a picture {width} pixels wide needs {least:.0f} MB at least")


def _needed(width: int, rows: int, columns: int) -> int:
    return rows * width * BYTES_OF_BAND + rows * columns * BYTES_OF_TILE


def resident() -> int:
    """Bytes of memory that this process has now; 0 where the system does not say."""
    status = Path("/proc/self/status")
    found = re.search(r"VmRSS:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return 1024 * int(found[1]) if found else 0


def parse_size(text: str) -> int:
    """Bytes, from "1.5GB", "800 MiB" or a plain number.

    Raises:
        UndegradeError: it is no size, or less than 1000 bytes, where a unit was forgotten.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", text.strip().lower())
    if not found or not float(found[1]):
        raise UndegradeError(f"memory: {text!r}; expected a size such as 1.5GB or 800MB")
    size = int(float(found[1]) * UNITS[found[2] or ""])
    if size < UNITS["k"]:
        raise UndegradeError(f"memory: {text!r} is less than a kilobyte; expected a size such as 1.5GB or 800MB")
    return size
