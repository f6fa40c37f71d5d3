"""The small interface behind which every model runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
Precision = Literal["auto", "bf16", "fp16", "f32"]
OUT_OF_MEMORY = ("out of memory", "alloc", "not enough memory")  # how libraries say it, each in its own exception


class Backend(Protocol):
    """A model that is ready to run."""

    name: str  # the model's file and what runs it, for reports
    labels: tuple[str, ...]  # what the logits stand for, in order; none where the model names nothing
    multi_label: bool  # whether several labels may be true at once: a sigmoid each, else one softmax
    size_multiple: int  # sides that are multiples of it need no padding
    finished: tuple[str, ...] = ()  # labels whose repair a second network of the model has gone over
    sentence_size: int = 0  # numbers of the sentence that the model is told; 0 where it is told none

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        """Restore a picture, or a part of one.

        Args:
            image: (3, H, W) RGB in [0, 1], any size.
            context: (num_context,), of the picture that the image is a part of: the mean of what is returned here for
                parts of it. None: the image is the picture.

        Returns:
            The restored image (3, H, W), not clipped, and its own context, whose last numbers are the logits.

        Raises:
            MemoryError: the image is too large for the memory.
        """

    def see(self, image: Pixels) -> Pixels:
        """The context of a picture alone; arguments and errors as for `run`."""
        return self.run(image)[1]

    def for_size(self, height: int, width: int) -> Backend:
        """The same model made ready for parts of this size alone; takes a while, and pays if many of them come.

        It has to be given a context, and what it returns for one may be zeros.
        """
        return self

    def told(self, sentence: Pixels) -> Backend:
        """The same model, told a sentence (sentence_size,); itself where it is told none."""
        return self

    def exact(self) -> Backend | None:
        """The same model in float32, for images that are beyond the range of this one; None where this is it."""
        return None


@contextmanager
def naming_lack_of_memory() -> Iterator[None]:
    """Turns what a library raises when it finds no memory into a MemoryError."""
    try:
        yield
    except Exception as error:
        text = str(error).lower()
        if isinstance(error, MemoryError) or any(words in text for words in OUT_OF_MEMORY):
            raise MemoryError("the image is too large for the memory") from None
        raise
