"""Repairs that go by what was measured in the whole picture, beside those by the network alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from undegrade.deblurring import Blur, deconvolve, find_blur
from undegrade.denoising import NoiseLevel, find_noise, refine
from undegrade.inference.backend import Pixels

Measured = Blur | NoiseLevel


def measure(kind: str, parts: Sequence[Pixels]) -> Measured | None:
    """The blur or the noise that lies over a picture, by parts of it; None: there is nothing to go by but the network.

    Args:
        kind: what is to be repaired.
        parts: (3, h, w) in [0, 1] each.
    """
    return find_blur(kind, parts) or find_noise(kind, parts)


def repair(part: Pixels, measured: Measured | None, network: Callable[[], Pixels]) -> Pixels:
    """A part of a picture (3, H, W), repaired by what was measured; same shape, not clipped.

    Args:
        part: in [0, 1].
        measured: in the picture that it is a part of.
        network: makes what the model makes of it, where that is needed.
    """
    if isinstance(measured, Blur):
        return deconvolve(part, measured)
    made = network()
    return made if measured is None else refine(part, np.clip(made, 0, 1), measured)


def name_of(measured: Measured | None) -> str:
    """How a repair goes by it, in words."""
    if isinstance(measured, Blur):
        return "deconvolution"
    return "network" if measured is None else "network and transform"
