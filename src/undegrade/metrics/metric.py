"""What a measure of pictures is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]  # (C, H, W) in [0, 1]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that says how near a picture is to the clean one.

    Args:
        function: of the picture and the clean one, both (C, H, W) in [0, 1].
        unit: of the number; empty where it has none.
        higher_is_better: else lower is.
        least_side: pixels a side that a picture needs.
        digits: behind the point that are worth showing.
        about: the definition, in one sentence.
    """

    function: Callable[[Pixels, Pixels], float]
    unit: str
    higher_is_better: bool
    least_side: int
    digits: int
    about: str
