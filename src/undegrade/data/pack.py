"""A pack: decoded pictures back to back in one file that is mapped into memory, so that nothing is decoded again.

A pack is a folder with `pixels.bin`, each picture as (H, W, 3) bytes, and `index.json`, which says where each lies and
which belong together. Every worker process sees the same memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from undegrade.atomic import folder_written_whole
from undegrade.data.decoding import Pixels, check_sizes, map_ahead
from undegrade.data.pairs import Found, Pair
from undegrade.errors import UndegradeError
from undegrade.images import read_8bit

INDEX, PIXELS = "index.json", "pixels.bin"
FORMAT = "undegrade pack 1"  # stands in the index


def write_pack(found: Found, target: Path, advance: Callable[[float], None] = lambda done: None) -> None:
    """Decode the pictures of a set into a new pack, each once.

    Args:
        found: the set.
        target: the pack's folder, which must not exist; it appears whole or not at all.
        advance: told how many pictures are done.

    Raises:
        UndegradeError: a picture cannot be read, the two of a pair differ in size, or the pack cannot be written.
    """
    # Pair by pair, so that what is read together lies together.
    numbers: dict[str, int] = {}
    for pair in found.pairs:
        for name in (pair.clean, pair.degraded):
            numbers.setdefault(name, len(numbers))
    partners = {pair.degraded: pair.clean for pair in found.pairs}
    sizes: dict[str, tuple[int, int]] = {}
    with folder_written_whole(target) as partial:
        with (partial / PIXELS).open("wb") as file:
            decoded = map_ahead(lambda name: read_8bit(found.root / name), numbers)
            for done, (name, pixels) in enumerate(zip(numbers, decoded, strict=True)):
                sizes[name] = pixels.shape[1], pixels.shape[2]
                clean = partners.get(name, name)
                check_sizes((str(found.root / name), sizes[name]), (str(found.root / clean), sizes[clean]))
                file.write(np.ascontiguousarray(np.moveaxis(pixels, 0, 2)).data)
                advance(done + 1)
        index = {
            "format": FORMAT,
            "layout": found.layout,
            "paired": found.paired,
            "pictures": [[name, *sizes[name]] for name in numbers],  # name, height, width
            "pairs": [[numbers[pair.degraded], numbers[pair.clean], pair.label] for pair in found.pairs],
        }
        (partial / INDEX).write_text(json.dumps(index) + "\n")


def is_pack(folder: Path) -> bool:
    """Whether the folder is a pack; a file of the same name may be something else's."""
    try:
        with (folder / INDEX).open("rb") as file:
            return FORMAT.encode() in file.read(100)
    except OSError:
        return False


class Pack:
    """The pictures of a pack, as views of its mapped file.

    Raises:
        UndegradeError: the pack is damaged or cut short.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder
        try:
            index = json.loads((folder / INDEX).read_text())
            names, heights, widths = zip(*index["pictures"], strict=True)
            self.pairs = tuple(Pair(degraded=names[d], clean=names[c], label=label) for d, c, label in index["pairs"])
            self.paired: bool = index["paired"]
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise UndegradeError(f"{folder / INDEX}: damaged ({type(error).__name__}); make the pack anew") from None
        ends = np.cumsum([3 * height * width for height, width in zip(heights, widths, strict=True)])
        starts = [0, *ends[:-1].tolist()]
        self._at = dict(zip(names, zip(starts, heights, widths, strict=True), strict=True))
        path = folder / PIXELS
        size = path.stat().st_size if path.exists() else 0
        if size != ends[-1]:
            raise UndegradeError(f"{path}: {size} bytes; expected {ends[-1]}: cut short, copy or make the pack anew")
        self._bytes: Pixels | None = None

    def load(self, index: int) -> tuple[Pixels, Pixels]:
        """The degraded and the clean picture of a pair, (3, H, W) each, RGB, 0 to 255; not to be written to."""
        pair = self.pairs[index]
        return self._view(pair.degraded), self._view(pair.clean)

    def _view(self, name: str) -> Pixels:
        if self._bytes is None:
            self._bytes = np.memmap(self.root / PIXELS, np.uint8, mode="r")
        start, height, width = self._at[name]
        picture = self._bytes[start : start + 3 * height * width].reshape(height, width, 3)
        return np.moveaxis(np.asarray(picture), 2, 0)

    def __getstate__(self) -> dict[str, Any]:
        """Without the map: pickled, it would become a copy of the whole file."""
        return {**self.__dict__, "_bytes": None}
