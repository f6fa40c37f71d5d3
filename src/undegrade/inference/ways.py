"""Repairs that go by what was measured in the whole picture, beside those by the network alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from undegrade.deblocking import Compression, deblock, find_compression
from undegrade.deblurring import Blur, deconvolve, find_defocus, find_shake
from undegrade.denoising import NoiseLevel, find_noise, refine
from undegrade.inference.backend import Pixels

Measured = Blur | NoiseLevel | Compression
Assurance = Literal["certain", "clear", ""]
SEEN = 90  # libjpeg's quality, up to which compression counts: what is better looks well
# Of a camera's noise: so strong it does no harm to take for it what is named, or looks a little like it.
STRONG, LOUD = 4 / 255, 10 / 255
ALIGNED = 16  # pixels: blocks of JPEG's colours


def measure(kind: str, parts: Sequence[Pixels]) -> Measured | None:
    """The blur, the noise or the compression of a whole picture, by parts of it; None: the network has to do alone.

    Args:
        kind: what is to be repaired.
        parts: (3, h, w) in [0, 1] each, that begin at multiples of `ALIGNED` from its corner, as all that is repaired.
    """
    way = MEASURES.get(kind)
    return way(parts) if way else None


def find_signs(measuring: Callable[[str], Measured | None]) -> dict[str, float]:
    """What little else in a whole picture measures like, and how bad it is, in its severity's unit.

    Args:
        measuring: `measure` of parts of the picture, by kind.
    """
    signs, grid, noise = dict[str, float](), measuring("jpeg"), measuring("noise")
    if isinstance(grid, Compression) and assurance_of(grid):
        signs["jpeg"] = grid.quality
    if isinstance(noise, NoiseLevel) and noise.is_coarse and noise.strength >= LOUD:
        signs["noise"] = 255 * noise.strength
    return signs


def assurance_of(measured: Measured | None) -> Assurance:
    """How much what was measured says for a repair by it, of what is named.

    "certain": it does good. "clear": it hardly ever does harm. Nothing: it says how to repair, not whether to. The grid
    of JPEG is nothing else, and bounds what the repair can do to brightness. Noise that a camera has smoothed measures
    like texture, but what is named noisy beside is (docs/experiments.md, "A camera's noise in its file").
    """
    if isinstance(measured, NoiseLevel) and measured.is_coarse:
        return "certain" if measured.strength >= STRONG else "clear"
    return "certain" if isinstance(measured, Compression) and measured.quality <= SEEN else ""


def repair(part: Pixels, measured: Measured | None, network: Callable[[], Pixels], *, finished: bool = False) -> Pixels:
    """A part of a picture (3, H, W), repaired by what was measured; same shape, not clipped.

    Args:
        part: in [0, 1].
        measured: in the picture that it is a part of.
        network: makes what the model makes of it, where that is needed.
        finished: whether a second network has gone over that (`Backend.finished`).
    """
    if isinstance(measured, Blur):  # the network takes no part
        return deconvolve(part, measured)
    made = network()
    if measured is None:
        return made
    pilot = np.clip(made, 0, 1)
    if isinstance(measured, Compression):
        return deblock(part, pilot, measured, finished=finished)
    return refine(part, pilot, measured, finished=finished)


def needs_network(measured: Measured | None) -> bool:
    """Whether a repair by it takes what the model makes of the part."""
    return not isinstance(measured, Blur)


def name_of(measured: Measured | None) -> str:
    """How a repair goes by it, in words."""
    if isinstance(measured, Blur):
        return "deconvolution"
    return "network" if measured is None else "network and transform"


# Kinds whose repair by what is measured needs no check, as it goes by the network's and is hardly ever worse.
UNCHECKED = ("noise", "jpeg")

MEASURES: dict[str, Callable[[Sequence[Pixels]], Measured | None]] = {
    "motion_blur": find_shake,
    "defocus_blur": find_defocus,
    "noise": find_noise,
    "jpeg": find_compression,
}
