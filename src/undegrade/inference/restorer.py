"""Picture in, restored picture out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.images.picture import Picture, gray_of, with_pixels
from undegrade.inference.backends import Backend
from undegrade.inference.tiling import Tile, blend, combine, cut, survey

Pixels = NDArray[np.float32]


class Finding(Protocol):
    """What has to be known of a diagnosis here."""

    @property
    def healthy(self) -> bool:
        """Nothing is wrong, so the picture is left alone."""


F = TypeVar("F", bound=Finding)


@dataclass(frozen=True, kw_only=True, eq=False)
class Restored(Generic[F]):
    """A picture after restoration.

    Args:
        picture: with everything that the original had beside its colours.
        diagnosis: what was wrong.
        changed: False where nothing was wrong; `picture` is then the original itself, bit for bit.
        seconds: what it took, without reading and writing files.
    """

    picture: Picture
    diagnosis: F
    changed: bool
    seconds: float


class Restorer(Generic[F]):
    """Names what is wrong with a picture and repairs it.

    A picture larger than a tile is judged by up to nine of its tiles, spread from edge to edge; `restore` and
    `diagnose` judge alike. A network with global statistics sees those of the tile. Gray pictures are restored as RGB
    with three equal channels, and the result is its luma; alpha is not looked at and stays as it is.

    Args:
        backend: runs the model.
        diagnose: from probabilities (num_labels,) and labels to a diagnosis.
    """

    def __init__(self, backend: Backend, diagnose: Callable[[Pixels, tuple[str, ...]], F]) -> None:
        self.backend = backend
        self._name = diagnose

    def diagnose(self, picture: Picture) -> F:
        """What is wrong with the picture.

        Raises:
            UndegradeError: the model's answer is no number.
        """
        return self.judge([self.probabilities(picture)])

    def probabilities(self, picture: Picture) -> Pixels:
        """What `diagnose` judges by: the probability of each label, (num_labels,)."""
        tiles = survey(self._grid(picture))
        return combine([self._run(picture, tile)[1] for tile in tiles], tiles)

    def judge(self, probabilities: Sequence[Pixels]) -> F:
        """One diagnosis for several pictures, such as the frames of a shot: that of their mean `probabilities`."""
        return self._name(np.mean(probabilities, axis=0, dtype=np.float64), self.backend.labels)

    def restore(
        self,
        picture: Picture,
        on_tile: Callable[[int, int], None] = lambda done, total: None,
        *,
        diagnosis: F | None = None,
    ) -> Restored[F]:
        """The picture repaired, values clipped to [0, 1], or left alone where nothing is wrong with it.

        Args:
            picture: of any size.
            on_tile: told after each tile how many are done, and of how many.
            diagnosis: decides whether it is left alone; None: that of this picture.

        Raises:
            UndegradeError: the model's answer is no number.
        """
        began = time.perf_counter()
        if diagnosis is not None and diagnosis.healthy:
            return Restored(picture=picture, diagnosis=diagnosis, changed=False, seconds=time.perf_counter() - began)
        grid = self._grid(picture)
        tiles = [tile for row in grid for tile in row]
        first = survey(grid)
        canvas = np.zeros_like(picture.pixels)
        probabilities = []
        for done, tile in enumerate(first, start=1):
            pixels, answer = self._run(picture, tile)
            probabilities.append(answer)
            blend(canvas, tile, pixels)
            on_tile(done, len(tiles))
        diagnosis = diagnosis or self.judge([combine(probabilities, first)])
        if diagnosis.healthy:
            return Restored(picture=picture, diagnosis=diagnosis, changed=False, seconds=time.perf_counter() - began)
        for done, tile in enumerate((t for t in tiles if t not in first), start=len(first) + 1):
            blend(canvas, tile, self._run(picture, tile)[0])
            on_tile(done, len(tiles))
        if picture.gray:
            canvas[:] = gray_of(canvas)
        np.clip(canvas, 0, 1, out=canvas)
        restored = with_pixels(picture, canvas)
        return Restored(picture=restored, diagnosis=diagnosis, changed=True, seconds=time.perf_counter() - began)

    def _grid(self, picture: Picture) -> list[list[Tile]]:
        return cut(*picture.pixels.shape[1:], multiple=self.backend.size_multiple)

    def _run(self, picture: Picture, tile: Tile) -> tuple[Pixels, Pixels]:
        """The tile's restored pixels (3, h, w) and probabilities (num_labels,)."""
        pixels, logits = self.backend.run(tile.crop(picture.pixels))
        if not (np.isfinite(pixels).all() and np.isfinite(logits).all()):
            raise UndegradeError(f"{self.backend.name}: the model's answer is no number; try another model")
        odds = np.exp(logits - logits.max())
        return pixels, odds / odds.sum()
