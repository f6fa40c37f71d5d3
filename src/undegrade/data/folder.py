"""Photographs on disk: clean ones, and pairs of degraded and clean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.images import find_pictures, read_picture

CACHE_PIXELS = 700_000_000  # pictures up to this total stay in memory, three bytes a pixel

PARTS = ("train", "held_out", "all")


class CleanFolder:
    """The pictures of one folder, decoded once and kept as 8-bit arrays while they fit.

    Args:
        folder: where the pictures lie.
        part: "train", "held_out" or "all"; every `holdout`-th picture by name is held out.
        holdout: 0 holds nothing out.
    """

    def __init__(self, folder: Path, *, part: str = "all", holdout: int = 20) -> None:
        if part not in PARTS:
            raise ValueError(f"CleanFolder.part is {part!r}; expected one of {', '.join(PARTS)}")
        paths = found = find_pictures(folder)
        if part != "all":
            held = [holdout > 0 and i % holdout == holdout - 1 for i in range(len(paths))]
            paths = [p for p, h in zip(paths, held, strict=True) if h == (part == "held_out")]
        if not paths:
            raise UndegradeError(
                f"{folder}: too few pictures for the part {part!r}: {len(found)}, and every {holdout}th is held out; "
                "add some, or set holdout to another number (0 holds none out)"
            )
        self.paths = paths
        self._cache: dict[int, NDArray[np.uint8]] = {}
        self._room = CACHE_PIXELS

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.paths)

    def load(self, index: int) -> NDArray[np.uint8]:
        """The picture (3, H, W), RGB, 0 to 255."""
        if index in self._cache:
            return self._cache[index]
        pixels = (read_picture(self.paths[index]).pixels * 255).round().astype(np.uint8)
        if pixels.size // 3 <= self._room:
            self._room -= pixels.size // 3
            self._cache[index] = pixels
        return pixels


def find_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """(degraded, clean) files of the same stem in `folder`/input and `folder`/target.

    Raises:
        UndegradeError: a folder is missing, or a degraded picture has no clean one, or more than one.
    """
    targets: dict[str, Path] = {}
    for path in find_pictures(folder / "target"):
        if path.stem in targets:
            raise UndegradeError(f"{path}: {targets[path.stem].name} has the same name; every input needs one target")
        targets[path.stem] = path
    pairs = []
    for path in find_pictures(folder / "input"):
        if path.stem not in targets:
            raise UndegradeError(f"{path}: no picture of this name in {folder / 'target'}; every input needs a target")
        pairs.append((path, targets[path.stem]))
    return pairs
