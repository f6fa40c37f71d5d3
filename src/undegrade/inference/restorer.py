"""Picture in, restored picture out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Generic, Protocol, TypeVar

import numpy as np

from undegrade.errors import UndegradeError
from undegrade.images.picture import Picture, gray_of, with_pixels
from undegrade.inference.backend import Backend, Pixels
from undegrade.inference.memory import choose_tile
from undegrade.inference.tiling import OVERLAP, bands, cut, samples

OFTEN = 12 * 512 * 512  # pixels in tiles: from then on a model made for their size saves time
SMALLEST = 4 * OVERLAP  # pixels: tiles are not halved below that


class Rows(Protocol):
    """A picture that is read in bands, from top to bottom."""

    height: int  # pixels
    width: int  # pixels

    @property
    def gray(self) -> bool:
        """Whether it has one channel of colour."""

    def pixels(self, top: int, left: int, height: int, width: int) -> Pixels:
        """This part, (3, height, width) in [0, 1]."""

    def rewind(self) -> None:
        """Begin at the top again."""


class Finding(Protocol):
    """What has to be known of a diagnosis here."""

    @property
    def label(self) -> str:
        """What is wrong."""

    @property
    def probability(self) -> float:
        """Of the label."""

    @property
    def healthy(self) -> bool:
        """Nothing is wrong, so the picture is left alone."""


F = TypeVar("F", bound=Finding)


@dataclass(frozen=True, kw_only=True, eq=False)
class Restored(Generic[F]):
    """A picture after restoration.

    Args:
        picture: with everything that the original had beside its colours.
        diagnosis: what was wrong; None where the model names nothing, and every picture is repaired.
        changed: False where nothing was wrong; `picture` is then the original itself, bit for bit.
        seconds: what it took, without reading and writing files.
    """

    picture: Picture
    diagnosis: F | None
    changed: bool
    seconds: float


class Restorer(Generic[F]):
    """Names what is wrong with a picture and repairs it.

    A picture is judged by samples of it, up to nine squares spread from edge to edge; `restore` and `diagnose` judge
    alike. What a network takes over all pixels (means, and the logits that decide what is repaired) is measured on the
    samples too and given to every tile, so that tiles are repaired as parts of one picture, and how it is cut makes no
    difference. Gray pictures are restored as RGB with three equal channels, and the result is its luma; alpha is not
    looked at and stays as it is.

    Args:
        backend: runs the model.
        diagnose: from probabilities (num_labels,) and labels to a diagnosis.
        tile: largest height and width of a tile, pixels; None chooses them by the picture's width and `memory`.
        memory: bytes that the process may take; None: as little as costs no time.
    """

    def __init__(
        self,
        backend: Backend,
        diagnose: Callable[[Pixels, tuple[str, ...]], F],
        *,
        tile: tuple[int, int] | None = None,
        memory: int | None = None,
    ) -> None:
        self.backend, self.tile, self.memory = backend, tile, memory
        self._name = diagnose
        self._exact: Backend | None = None  # asked for when it is needed
        self._largest = math.inf  # side of what is run at once: less where memory was found to be short

    def diagnose(self, picture: Picture) -> F:
        """What is wrong with the picture.

        Raises:
            UndegradeError: the model has no classifier, or its answer is no number.
        """
        if not self.backend.labels:
            raise UndegradeError(
                f"{self.backend.name}: the model has no classifier and cannot say what is wrong, only repair; choose "
                "another model"
            )
        return self._judge(self.look(picture))

    def look(self, picture: Picture) -> Pixels:
        """What `judge` and the picture's parts must know of it, (num_context,); the last numbers are the logits."""
        return self._look(_Held(picture))[0]

    def judge(self, context: Pixels) -> F | None:
        """The diagnosis that a context stands for; None where the model names nothing.

        The mean of several contexts, such as those of a shot's frames, is the context of all of them together.
        """
        return self._judge(context) if self.backend.labels else None

    def restore(
        self,
        picture: Picture,
        on_tile: Callable[[int, int], None] = lambda done, total: None,
        *,
        context: Pixels | None = None,
    ) -> Restored[F]:
        """The picture repaired, values clipped to [0, 1], or left alone where nothing is wrong with it.

        Args:
            picture: of any size.
            on_tile: told after each tile how many are done, and of how many.
            context: from `look`, of this picture or of what it is a part of; None looks.

        Raises:
            UndegradeError: the model's answer is no number.
        """
        began = time.perf_counter()
        diagnosis, repaired = self.restore_rows(_Held(picture), on_tile, context=context)
        if repaired is not None:
            picture = with_pixels(picture, np.concatenate(list(repaired), axis=1))
        seconds = time.perf_counter() - began
        return Restored(picture=picture, diagnosis=diagnosis, changed=repaired is not None, seconds=seconds)

    def restore_rows(
        self,
        rows: Rows,
        on_tile: Callable[[int, int], None] = lambda done, total: None,
        *,
        context: Pixels | None = None,
    ) -> tuple[F | None, Iterator[Pixels] | None]:
        """`restore` for a picture that is too large to be held: it is read and given back in bands.

        Args:
            rows: the picture; gone through twice.
            on_tile: as for `restore`.
            context: as for `restore`.

        Returns:
            What is wrong, and the repaired rows from top to bottom, (3, h, W) in [0, 1]; None where nothing is wrong.

        Raises:
            UndegradeError: the model's answer is no number, the rows cannot be read, or the budget is too small.
        """
        tile = self.tile or choose_tile(rows.width, self.memory)
        restored: Pixels | None = None
        if context is None:
            context, restored = self._look(rows)
        diagnosis = self.judge(context)
        if diagnosis is not None and diagnosis.healthy:
            return diagnosis, None
        rows.rewind()
        repaired = iter([restored]) if restored is not None else self._repair(rows, tile, context, on_tile)
        return diagnosis, (finished(band, gray=rows.gray) for band in repaired)

    def _look(self, rows: Rows) -> tuple[Pixels, Pixels | None]:
        """What the picture's parts must know of it, the mean over its samples; and the restored one if it is small."""
        contexts, restored = [], None
        for row in samples(rows.height, rows.width, multiple=self.backend.size_multiple):
            for box in row:
                restored, context = self._run(rows.pixels(box.top, box.left, box.height, box.width))
                contexts.append(context)
        mean: Pixels = np.mean(contexts, axis=0, dtype=np.float32)
        return mean, restored if len(contexts) == 1 else None

    def _repair(
        self, rows: Rows, tile: tuple[int, int], context: Pixels, on_tile: Callable[[int, int], None]
    ) -> Iterator[Pixels]:
        """The picture restored tile by tile, in bands (3, h, W)."""
        grid = cut(rows.height, rows.width, tile=tile, multiple=self.backend.size_multiple)
        total, done = sum(map(len, grid)), count(1)
        # Decided by this picture alone: what is made of it must not depend on what was restored before. Its tiles are
        # all of one size, once they are padded.
        first, backend = grid[0][0], self.backend
        if total * first.rows.size * first.columns.size >= OFTEN:
            backend = backend.for_size(first.rows.size, first.columns.size)

        def work(part: Pixels) -> Pixels:
            pixels = self._repair_part(part, context, backend)
            on_tile(next(done), total)
            return pixels

        return bands(grid, rows.pixels, work)

    def _repair_part(self, part: Pixels, context: Pixels, backend: Backend) -> Pixels:
        """A tile restored; in smaller ones, if there is not enough memory for it."""
        if max(part.shape[1:]) <= self._largest:
            try:
                return self._run(part, context, backend)[0]
            except MemoryError:
                self._largest = max(part.shape[1:]) // 2
                if self._largest < SMALLEST:
                    raise
        multiple = self.backend.size_multiple
        side = max(2, int(self._largest) // multiple) * multiple
        grid = cut(*part.shape[1:], tile=(side, side), multiple=multiple)
        rows = _Held(Picture(pixels=part))
        work = partial(self._repair_part, context=context, backend=self.backend)
        return np.concatenate(list(bands(grid, rows.pixels, work)), axis=1)

    def _run(
        self, image: Pixels, context: Pixels | None = None, backend: Backend | None = None
    ) -> tuple[Pixels, Pixels]:
        """The restored image and its own context."""
        pixels, own = (backend or self.backend).run(image, context)
        if not _finite(pixels, own):
            self._exact = self._exact or self.backend.exact()
            if self._exact is not None:
                pixels, own = self._exact.run(image, context)
            if not _finite(pixels, own):
                raise UndegradeError(f"{self.backend.name}: the model's answer is no number; try another model")
        return pixels, own

    def _judge(self, context: Pixels) -> F:
        """The diagnosis; the logits are the context's last numbers."""
        logits = context[-len(self.backend.labels) :]
        if self.backend.multi_label:
            return self._name(np.exp(-np.logaddexp(np.float32(0), -logits)), self.backend.labels)
        odds = np.exp(logits - logits.max())
        return self._name(odds / odds.sum(), self.backend.labels)


def _finite(*arrays: Pixels) -> bool:
    return all(bool(np.isfinite(array).all()) for array in arrays)


def finished(band: Pixels, *, gray: bool) -> Pixels:
    """What the network drew, (3, h, W), clipped to [0, 1], in place; of a gray picture its luma thrice."""
    if gray:
        band[:] = gray_of(band)
    return np.clip(band, 0, 1, out=band)


class _Held:
    """The rows of a picture in memory."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        _, self.height, self.width = picture.pixels.shape

    @property
    def gray(self) -> bool:
        return self.picture.gray

    def pixels(self, top: int, left: int, height: int, width: int) -> Pixels:
        return self.picture.pixels[:, top : top + height, left : left + width]

    def rewind(self) -> None:
        pass
