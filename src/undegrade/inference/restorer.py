"""Picture in, restored picture out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Generic

import numpy as np

from undegrade.errors import UndegradeError
from undegrade.images.picture import Picture, gray_of, with_pixels
from undegrade.inference.backend import Backend, Pixels
from undegrade.inference.deciding import Decider, mixed
from undegrade.inference.memory import choose_tile
from undegrade.inference.rows import Held, Rows
from undegrade.inference.tiling import OVERLAP, bands, cut, samples
from undegrade.inference.treatment import F, Judge, Look, Step, Treatment, surely
from undegrade.inference.ways import ALIGNED, find_signs, measure, needs_network, repair

OFTEN = 12 * 512 * 512  # pixels in tiles: from then on a model made for their size saves time
SMALLEST = 4 * OVERLAP  # pixels: tiles are not halved below that


@dataclass(frozen=True, kw_only=True, eq=False)
class Restored(Generic[F]):
    """A picture after restoration.

    Args:
        picture: with everything that the original had beside its colours.
        treatment: what was wrong, and what was done.
        seconds: what it took, without reading and writing files.
    """

    picture: Picture
    treatment: Treatment[F]
    seconds: float

    @property
    def diagnosis(self) -> F | None:
        """What was wrong; None where the model names nothing, and every picture is repaired."""
        return self.treatment.finding

    @property
    def changed(self) -> bool:
        """False where nothing was done; `picture` is then the original itself, bit for bit."""
        return bool(self.treatment.steps)


class Restorer(Generic[F]):
    """Names what is wrong with a picture and repairs it.

    A picture is judged by samples of it, up to nine squares spread from edge to edge; `restore` and `diagnose` judge
    alike. Repairs are tried on some of them first, if the judge wants to see that, and the picture is repaired as far
    as they did good. What a network takes over all pixels (means, and the logits that decide what is repaired) is
    measured on the samples too and given to every tile, and so are blur, noise and compression. Tiles are then repaired
    as parts of one picture, and how it is cut makes next to no difference (where a blur is undone, what lies beyond a
    tile's border is a guess). Gray pictures are restored as RGB with three equal channels, and the result is its luma;
    alpha is not looked at and stays as it is.

    Args:
        backend: runs the model.
        judge: names what is wrong and decides what is done.
        tile: largest height and width of a tile, pixels; None chooses them by the picture's width and `memory`.
        memory: bytes that the process may take; None: as little as costs no time.
    """

    def __init__(
        self,
        backend: Backend,
        judge: Judge[F],
        *,
        tile: tuple[int, int] | None = None,
        memory: int | None = None,
    ) -> None:
        self.backend, self.judge, self.tile, self.memory = backend, judge, tile, memory
        self._exact: Backend | None = None  # asked for when it is needed
        self._largest = math.inf  # side of what is run at once: less where memory was found to be short

    def diagnose(self, picture: Picture) -> F:
        """What is wrong with the picture.

        Raises:
            UndegradeError: the model has no classifier, or its answer is no number.
        """
        return self.diagnose_rows(Held(picture))

    def diagnose_rows(self, rows: Rows) -> F:
        """`diagnose` for a picture that is too large to be held."""
        if not self.backend.labels:
            raise UndegradeError(
                f"{self.backend.name}: the model has no classifier and cannot say what is wrong, only repair; choose "
                "another model"
            )
        beyond = self.judge.beyond(rows.height, rows.width)
        if beyond is not None:
            return beyond
        parts = self._parts(rows)
        signs = find_signs(partial(measure, parts=parts)) if self.judge.measures else {}
        finding = self.name(np.stack([self.see(part) for part in parts]), signs)
        assert finding is not None  # as there are labels
        return finding

    def name(self, contexts: Pixels, signs: Mapping[str, float]) -> F | None:
        """The diagnosis that contexts (N, num_context) of parts stand for; None where the model names nothing.

        Args:
            contexts: of parts of a picture.
            signs: of what was measured in it, how bad it is, by kind.
        """
        return self.judge.name(contexts, self.backend.labels, signs) if self.backend.labels else None

    def look(self, picture: Picture) -> Look:
        """What can be seen of a picture in samples of it; `decide` takes it."""
        return self._look(Held(picture))

    def see(self, part: Pixels) -> Pixels:
        """The context (num_context,) of a part of a picture, (3, h, w), as if it were one."""
        own = self.backend.see(part)
        return own if _finite(own) else self._run(part)[1]

    @property
    def _multiple(self) -> int:
        """At multiples of which samples and tiles begin."""
        return math.lcm(self.backend.size_multiple, ALIGNED if self.judge.measures else 1)

    @property
    def _decider(self) -> Decider[F]:
        return Decider(self.backend, self.judge, self._run)

    def decide(self, look: Look) -> Treatment[F]:
        """What is done to a picture, or to all frames of a shot, of which this was seen.

        Raises:
            UndegradeError: the model's answer is no number.
        """
        return self._decider.decide(look)

    def restore(
        self,
        picture: Picture,
        on_tile: Callable[[int, int], None] = lambda done, total: None,
        *,
        treatment: Treatment[F] | None = None,
    ) -> Restored[F]:
        """The picture repaired, values clipped to [0, 1], or left alone.

        Args:
            picture: of any size.
            on_tile: told after each tile how many are done, and of how many.
            treatment: from `decide`, of this picture or of what it is a part of; None decides.

        Raises:
            UndegradeError: the model's answer is no number.
        """
        began = time.perf_counter()
        treatment, repaired = self.restore_rows(Held(picture), on_tile, treatment=treatment)
        if repaired is not None:
            picture = with_pixels(picture, np.concatenate(list(repaired), axis=1))
        return Restored(picture=picture, treatment=treatment, seconds=time.perf_counter() - began)

    def restore_rows(
        self,
        rows: Rows,
        on_tile: Callable[[int, int], None] = lambda done, total: None,
        *,
        treatment: Treatment[F] | None = None,
    ) -> tuple[Treatment[F], Iterator[Pixels] | None]:
        """`restore` for a picture that is too large to be held: it is read and given back in bands.

        Args:
            rows: the picture; gone through twice.
            on_tile: as for `restore`.
            treatment: as for `restore`.

        Returns:
            What is done, and the repaired rows from top to bottom, (3, h, W) in [0, 1]; None where nothing is.

        Raises:
            UndegradeError: the model's answer is no number, the rows cannot be read, or the budget is too small.
        """
        tile = self.tile or choose_tile(rows.width, self.memory)
        at_hand = None
        if treatment is None and self.backend.labels:
            beyond = self.judge.beyond(rows.height, rows.width)
            treatment = None if beyond is None else Treatment(finding=beyond, steps=())
        if treatment is None:
            look = self._look(rows)
            treatment = self.decide(look)
            at_hand = self._at_hand(look, treatment)
        if not treatment.steps:
            return treatment, None
        rows.rewind()
        repaired = self._repair(rows, tile, treatment.steps, on_tile) if at_hand is None else iter([at_hand])
        return treatment, (finished(band, gray=rows.gray) for band in repaired)

    def _look(self, rows: Rows) -> Look:
        return self._decider.look_at(self._parts(rows), still=True)

    def _parts(self, rows: Rows) -> list[Pixels]:
        return [
            rows.pixels(box.top, box.left, box.height, box.width)
            for row in samples(rows.height, rows.width, multiple=self._multiple)
            for box in row
        ]

    def _at_hand(self, look: Look, treatment: Treatment[F]) -> Pixels | None:
        """The repaired picture where the look at it, a small one, has made it already."""
        if len(look.parts) > 1 or len(treatment.steps) != 1:
            return None
        (step,) = treatment.steps
        own = step.kind is None or surely(look.contexts[0], self.backend.labels, step.kind)
        return look.repaired[0] if own and step.strength == 1 and step.measured is None else None

    def _repair(
        self, rows: Rows, tile: tuple[int, int], steps: tuple[Step, ...], on_tile: Callable[[int, int], None]
    ) -> Iterator[Pixels]:
        """The picture restored tile by tile, in bands (3, h, W)."""
        grid = cut(rows.height, rows.width, tile=tile, multiple=self._multiple)
        total, done = sum(map(len, grid)), count(1)
        # Decided by this picture alone: what is made of it must not depend on what was restored before. Its tiles are
        # all of one size, once they are padded.
        first, backend = grid[0][0], self.backend
        often = total * first.rows.size * first.columns.size >= OFTEN
        if often and any(needs_network(step.measured) for step in steps):
            backend = backend.for_size(first.rows.size, first.columns.size)

        def work(part: Pixels) -> Pixels:
            for step in steps:
                network = partial(self._repair_part, part, step.context, backend)
                made = repair(part, step.measured, network, finished=step.kind in self.backend.finished)
                part = made if len(steps) == 1 and step.strength == 1 else mixed(part, made, step.strength)
            on_tile(next(done), total)
            return part

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
        multiple = self._multiple
        side = max(2, int(self._largest) // multiple) * multiple
        grid = cut(*part.shape[1:], tile=(side, side), multiple=multiple)
        rows = Held(Picture(pixels=part))
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


def _finite(*arrays: Pixels) -> bool:
    return all(bool(np.isfinite(array).all()) for array in arrays)


def finished(band: Pixels, *, gray: bool) -> Pixels:
    """What the network drew, (3, h, W), clipped to [0, 1], in place; of a gray picture its luma thrice."""
    if gray:
        band[:] = gray_of(band)
    return np.clip(band, 0, 1, out=band)
