"""A model that repairs mirror images of each part, too, and takes the mean."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from undegrade.images.padding import crop_to, pad_to_multiple
from undegrade.inference.backend import Backend, Pixels

WAYS = ((), (2,), (1,), (1, 2))  # axes of (3, H, W) that are turned round: as it is, left and right, up and down, both
UPRIGHT = ("haze",)  # kinds that have an up and a down: thicker towards the horizon


class Mirrored(Backend):
    """The mean of a model's answers to a picture and its three mirror images, turned back (of haze, to one of them).

    y = mean over m of m^-1(network(m(x))); errors that differ from one to the next, such as the weave that noise
    leaves, cancel out. "Seven ways to improve example-based single image super resolution", CVPR 2016, takes eight;
    those that are turned by a right angle, which rain never is, are left out. What is seen is what the model sees in
    the picture as it is.

    A larger model may take their place for some kinds, whose pictures it draws by itself by what this model sees.

    Args:
        backend: the model.
        larger: opens that one, asked for when it is needed.
        finished: kinds that it repairs.
    """

    def __init__(
        self, backend: Backend, larger: Callable[[], Backend] | None = None, finished: tuple[str, ...] = ()
    ) -> None:
        self.backend, self.name = backend, f"{backend.name}, mirrored"
        self._larger, self._finished = larger and cache(larger), finished
        self.labels, self.multi_label = backend.labels, backend.multi_label
        self.size_multiple, self.sentence_size = backend.size_multiple, backend.sentence_size

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        """See `Backend.run`."""
        if context is not None and (larger := self._larger_for(context)):
            return larger.run(image, context)
        # Padded first: else borders would come to lie at the left and the top, and JPEG's squares elsewhere.
        padded, height, width = pad_to_multiple(image, self.size_multiple)
        total, own = self.backend.run(padded, context)
        given = own if context is None else context
        if larger := self._larger_for(given):
            return larger.run(image, given)[0], own
        ways = WAYS[:2] if self._kind(given) in UPRIGHT else WAYS
        for axes in ways[1:]:
            made, _ = self.backend.run(np.ascontiguousarray(np.flip(padded, axes)), given)
            total = total + np.flip(made, axes)
        return crop_to(total / np.float32(len(ways)), height, width), own

    def see(self, image: Pixels) -> Pixels:
        """See `Backend.see`; not mirrored."""
        return self.backend.see(image)

    def _larger_for(self, context: Pixels) -> Backend | None:
        """The larger model, where it repairs what the context goes for."""
        return self._larger() if self._larger and self._kind(context) in self._finished else None

    def _kind(self, context: Pixels) -> str | None:
        """What the context goes for; None where the model names nothing."""
        if not self.labels:
            return None
        return self.labels[int(context[-len(self.labels) :].argmax())]

    def for_size(self, height: int, width: int) -> Backend:
        """See `Backend.for_size`."""
        larger = self._larger
        sized = larger and (lambda: larger().for_size(height, width))
        return Mirrored(self.backend.for_size(height, width), sized, self._finished)

    def told(self, sentence: Pixels) -> Backend:
        """See `Backend.told`."""
        return Mirrored(self.backend.told(sentence), self._larger, self._finished)

    def exact(self) -> Backend | None:
        """See `Backend.exact`."""
        exact, larger = self.backend.exact(), self._larger
        return exact and Mirrored(exact, larger and (lambda: larger().exact() or larger()), self._finished)
