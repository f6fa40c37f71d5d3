"""Where one shot of a clip ends and the next begins, and which frames speak for a shot."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

THUMBNAIL = (36, 64)  # rows and columns of the gray pictures that are compared
JUMP = 16.0  # 8-bit levels: mean difference of two thumbnails from which they may be of two shots
TIMES = 4.0  # and by how much it must stand above the differences just before: a fast pan is no cut
REMEMBERED = 8  # differences just before
SHORTEST = 12  # frames of a shot: a flash is no shot
EVERY = 2.0  # seconds between the frames that speak for a shot
FEWEST, MOST = 3, 32  # of them


@dataclass(frozen=True, kw_only=True)
class Shot:
    """Frames that are judged together.

    Args:
        first: number of its first frame in the clip, from 0.
        count: how many frames.
    """

    first: int
    count: int

    def samples(self, seconds: float) -> list[int]:
        """The numbers of the frames that speak for the shot, spread evenly over its `seconds`: one in two seconds.

        >>> Shot(first=100, count=60).samples(2.4)
        [110, 130, 150]
        """
        number = min(self.count, max(FEWEST, min(MOST, math.ceil(seconds / EVERY))))
        return [self.first + int((i + 0.5) * self.count / number) for i in range(number)]

    def pieces(self, longest: int) -> list[Shot]:
        """The shot in as few parts of nearly equal length as `longest` permits.

        >>> [piece.count for piece in Shot(first=0, count=25).pieces(10)]
        [8, 8, 9]
        """
        number = math.ceil(self.count / longest)
        edges = [self.count * i // number for i in range(number + 1)]
        return [Shot(first=self.first + begin, count=end - begin) for begin, end in pairwise(edges)]


class ShotFinder:
    """Finds cuts while frames pass by; keeps one thumbnail."""

    def __init__(self) -> None:
        self._starts = [0]
        self._count = 0
        self._before: NDArray[np.int16] | None = None
        self._recent: deque[float] = deque(maxlen=REMEMBERED)

    def see(self, thumbnail: NDArray[np.uint8]) -> None:
        """The next frame, gray and reduced to THUMBNAIL."""
        now = thumbnail.astype(np.int16)
        if self._before is not None:
            jump = float(np.abs(now - self._before).mean())
            usual = sum(self._recent) / len(self._recent) if self._recent else 0.0
            if jump > max(JUMP, TIMES * usual) and self._count - self._starts[-1] >= SHORTEST:
                self._starts.append(self._count)
                self._recent.clear()
            else:
                self._recent.append(jump)
        self._before = now
        self._count += 1

    def shots(self) -> list[Shot]:
        """The shots of all frames seen; together they hold each frame once."""
        ends = [*self._starts[1:], self._count]
        return [
            Shot(first=begin, count=end - begin) for begin, end in zip(self._starts, ends, strict=True) if end > begin
        ]
