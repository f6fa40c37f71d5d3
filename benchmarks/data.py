"""Patches a second from files, from decoded files kept in memory, from shards and from a pack, in one process.

    python benchmarks/data.py PHOTOS > benchmarks/results/data.json

The same patches each time: a random crop of a random photo, flipped, turned, as float32. The system's file cache is
warm.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import torch

from machine import facts
from undegrade.data import decoding
from undegrade.data.folder import CleanFolder
from undegrade.data.mixture import Mixture, MixtureConfig
from undegrade.data.pack import write_pack
from undegrade.data.pairs import find
from undegrade.data.shards import write_shards
from undegrade.degradations import parse

CROPS = (64, 128, 256)
REPEATS, SECONDS = 5, 1.0  # each repeat takes at least so long
CLEAN_ONLY = MixtureConfig(degradations=(parse("noise"),), weights=(1, 0))


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    found = find(folder, "clean")
    with tempfile.TemporaryDirectory() as room:
        pack, shards = Path(room) / "pack", Path(room) / "shards"
        began = time.perf_counter()
        write_pack(found, pack)
        packed = time.perf_counter()
        write_shards(found, shards)
        sharded = time.perf_counter()
        files, kept = opened(folder, keep=False), opened(folder, keep=True)
        for index in range(len(kept)):
            kept.load(index)
        sources = {
            "files": files,
            "shards": opened(shards, keep=False),
            "files_in_memory": kept,
            "pack": CleanFolder(pack),
        }
        rates = {
            name: {f"{crop}px": round(rate(source, crop), 1) for crop in CROPS} for name, source in sources.items()
        }
        sizes = {
            "pictures": len(found.pairs),
            "files_mb": size_mb([folder / pair.clean for pair in found.pairs]),
            "pack_mb": size_mb(pack.iterdir()),
            "shards_mb": size_mb(shards.iterdir()),
            "pack_s": round(packed - began, 2),
            "shards_s": round(sharded - packed, 2),
        }
    print(json.dumps({"patches_per_second": rates, "repeats": REPEATS, **sizes, "machine": facts()}, indent=2))


def opened(folder: Path, *, keep: bool) -> CleanFolder:
    """The photos, decoded each time they are asked for, or kept."""
    before = decoding.CACHE_PIXELS
    decoding.CACHE_PIXELS = 10**12 if keep else 0
    try:
        return CleanFolder(folder)
    finally:
        decoding.CACHE_PIXELS = before


def rate(photos: CleanFolder, crop: int) -> float:
    """Patches a second: the median over the repeats, after a patch that is not counted."""
    mixture = Mixture(photos, CLEAN_ONLY, batch=1, crop=crop)
    mixture.sample(0)
    rates = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for number in count(1):
            mixture.sample(number)
            taken = time.perf_counter() - began
            if taken >= SECONDS:
                rates.append(number / taken)
                break
    return statistics.median(rates)


def size_mb(paths: Iterable[Path]) -> float:
    """Their size together, MB."""
    return round(sum(path.stat().st_size for path in paths) / 1e6, 1)


if __name__ == "__main__":
    main()
