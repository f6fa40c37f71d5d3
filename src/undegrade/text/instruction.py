"""An instruction in words, read: what it asks for, and its numbers for networks that are told sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undegrade.text.encoder import embed
from undegrade.text.head import read_head
from undegrade.text.understanding import Said, understand


@dataclass(frozen=True, kw_only=True, eq=False)
class Instruction:
    """A sentence that was understood.

    Args:
        said: what it asks for.
        embedding: (384,), the whole sentence as numbers.
    """

    said: Said
    embedding: NDArray[np.float32]


def read_instruction(sentence: str) -> Instruction:
    """The sentence, read by the head and the encoder of the extra `text`.

    Raises:
        UndegradeError: no instruction is in it, or it contradicts itself.
        ModuleNotFoundError: the extra is not installed.
    """
    return Instruction(said=understand(sentence, read_head(), embed), embedding=embed([sentence])[0])
