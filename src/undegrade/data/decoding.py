"""Decoded pictures, kept while they fit, and made ahead by a few threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError

CACHE_PIXELS = 700_000_000  # pictures up to this total stay in memory, three bytes a pixel
THREADS = min(4, os.cpu_count() or 1)  # of decoding; more of them wait for the disk and for memory

Pixels = NDArray[np.uint8]  # (3, H, W), RGB, 0 to 255
A = TypeVar("A")
B = TypeVar("B")


class PixelCache:
    """Decoded pictures by name, the first ones that fit; another process begins with an empty one.

    Args:
        room: pixels in all; CACHE_PIXELS unless given.
    """

    def __init__(self, room: int | None = None) -> None:
        self._size = self._room = CACHE_PIXELS if room is None else room
        self._kept: dict[Hashable, Pixels] = {}

    def get(self, name: Hashable, read: Callable[[], Pixels]) -> Pixels:
        """The picture of that name, (3, H, W), read if it is not here."""
        if name in self._kept:
            return self._kept[name]
        pixels = read()
        if pixels.size // 3 <= self._room:
            self._room -= pixels.size // 3
            self._kept[name] = pixels
        return pixels

    def __getstate__(self) -> dict[str, Any]:
        """Only the size: gigabytes must not go through a pipe to each worker process."""
        return {"_size": self._size, "_room": self._size, "_kept": {}}


def map_ahead(function: Callable[[A], B], items: Iterable[A], *, threads: int | None = None) -> Iterator[B]:
    """`function` of each item, in order, worked out by threads a few items ahead; memory stays flat.

    >>> list(map_ahead(len, ["a", "bb"]))
    [1, 2]
    """
    threads = threads or THREADS
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[B]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def check_sizes(degraded: tuple[str, tuple[int, int]], clean: tuple[str, tuple[int, int]]) -> None:
    """Refuse a pair of two sizes.

    Args:
        degraded: its name, and its (height, width) in pixels.
        clean: the same.

    Raises:
        UndegradeError: names both.
    """
    (name, (height, width)), (clean_name, (clean_height, clean_width)) = degraded, clean
    if (height, width) != (clean_height, clean_width):
        raise UndegradeError(
            f"{name}: {width} x {height} pixels, but {clean_name} has {clean_width} x {clean_height}; "
            "the two must be of one size"
        )
