"""Photographs on disk: clean ones, and pairs of degraded and clean, whether as files, packed or in shards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from undegrade.data.decoding import PixelCache, Pixels, check_sizes
from undegrade.data.pack import Pack, is_pack
from undegrade.data.pairs import Found, Pair, find, find_whole, no_pairs
from undegrade.data.shards import Shards, is_sharded
from undegrade.errors import UndegradeError
from undegrade.images import read_8bit

PARTS = ("train", "held_out", "all")


class PictureSet(Protocol):
    """Pictures in one place, whatever the storage."""

    root: Path
    pairs: tuple[Pair, ...]
    paired: bool  # False: clean pictures alone, each its own pair

    def load(self, index: int) -> tuple[Pixels, Pixels]:
        """The degraded and the clean picture of a pair, (3, H, W) each, RGB, 0 to 255; not to be written to."""


class Files:
    """Picture files, decoded when they are asked for and kept while they fit."""

    def __init__(self, found: Found, cache: PixelCache) -> None:
        self.root, self.pairs, self.paired, self._cache = found.root, found.pairs, found.paired, cache

    def load(self, index: int) -> tuple[Pixels, Pixels]:
        """The degraded and the clean picture of a pair, (3, H, W) each, RGB, 0 to 255.

        Raises:
            UndegradeError: a file cannot be read, or the two differ in size.
        """
        degraded, clean = (self.root / name for name in (self.pairs[index].degraded, self.pairs[index].clean))
        clean_pixels = self._cache.get(clean, partial(read_8bit, clean))
        if degraded == clean:
            return clean_pixels, clean_pixels
        pixels = self._cache.get(degraded, partial(read_8bit, degraded))
        check_sizes((str(degraded), pixels.shape[1:]), (str(clean), clean_pixels.shape[1:]))
        return pixels, clean_pixels


def open_set(folder: Path, layout: str | None = None, *, cache: PixelCache | None = None) -> PictureSet:
    """The pictures of a folder, a pack or a folder of shards.

    Args:
        folder: where.
        layout: of a folder of picture files; None finds out.
        cache: for decoded pictures; one of its own unless given.

    Raises:
        UndegradeError: there is nothing, it is damaged, or a degraded picture has no clean one.
    """
    if is_pack(folder):
        return Pack(folder)
    cache = PixelCache() if cache is None else cache
    if is_sharded(folder):
        return Shards(folder, cache)
    return Files(find_whole(folder, layout), cache)


class CleanFolder:
    """Clean pictures; those decoded from files are kept in memory while they fit.

    Args:
        folder: where the pictures lie: a folder of files, also in folders below it, a pack, or shards.
        part: "train", "held_out" or "all"; every `holdout`-th picture by name is held out.
        holdout: 0 holds nothing out.

    Raises:
        UndegradeError: there are no pictures, too few to hold some out, or they are pairs.
    """

    def __init__(self, folder: Path, *, part: str = "all", holdout: int = 20) -> None:
        if is_pack(folder) or is_sharded(folder):
            self._set = open_set(folder)
            paired = self._set.paired
        else:
            paired = bool((found := find(folder)).paired and found.pairs)
            self._set = open_set(folder, "clean")
        if paired:
            raise UndegradeError(f"{folder}: holds pairs; expected clean pictures, name the folder of those alone")
        self._chosen = _choose(self._set, range(len(self._set.pairs)), part, holdout)
        self.names = [self._set.pairs[index].clean for index in self._chosen]

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._chosen)

    def load(self, index: int) -> Pixels:
        """The picture (3, H, W), RGB, 0 to 255; not to be written to."""
        return self._set.load(self._chosen[index])[1]

    def load_pair(self, index: int) -> tuple[Pixels, Pixels]:
        """The picture twice: as a pair with which nothing is wrong."""
        pixels = self.load(index)
        return pixels, pixels


class PairFolder:
    """The pairs of one label.

    Args:
        place: where the pairs lie, as `open_set` opened it.
        label: what was done to the pictures. Where the set has labels of its own, its pairs of this one are taken,
            otherwise all.
        part: "train", "held_out" or "all"; every `holdout`-th clean picture by name is held out with all its degraded
            ones.
        holdout: 0 holds nothing out.

    Raises:
        UndegradeError: there are no pairs, none of the label, or too few to hold some out.
    """

    def __init__(self, place: PictureSet, label: str, *, part: str = "all", holdout: int = 20) -> None:
        if not place.paired:
            raise no_pairs(place.root)
        self.label, self._set = label, place
        of_label = [index for index, pair in enumerate(place.pairs) if pair.label in (None, label)]
        if not of_label:
            known = ", ".join(sorted({str(pair.label) for pair in place.pairs}))
            raise UndegradeError(f"{place.root}: no pairs of the label {label!r}; its labels are {known}")
        self._chosen = _choose(place, of_label, part, holdout)
        self.names = [place.pairs[index].degraded for index in self._chosen]

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self._chosen)

    def load_pair(self, index: int) -> tuple[Pixels, Pixels]:
        """The degraded and the clean picture, (3, H, W) each, RGB, 0 to 255; not to be written to."""
        return self._set.load(self._chosen[index])


def _choose(place: PictureSet, indices: Sequence[int], part: str, holdout: int) -> list[int]:
    """The indices that belong to a part."""
    if part not in PARTS:
        raise ValueError(f"part is {part!r}; expected one of {', '.join(PARTS)}")
    if part == "all":
        return list(indices)
    names = sorted({place.pairs[index].clean for index in indices})
    held = {name for number, name in enumerate(names) if holdout > 0 and number % holdout == holdout - 1}
    chosen = [index for index in indices if (place.pairs[index].clean in held) == (part == "held_out")]
    if not chosen:
        raise UndegradeError(
            f"{place.root}: too few pictures for the part {part!r}: {len(names)}, and every {holdout}th is held out; "
            "add some, or set holdout to another number (0 holds none out)"
        )
    return chosen
