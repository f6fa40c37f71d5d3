"""What blurred a picture, from parts of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from undegrade.deblurring.blur import Blur
from undegrade.deblurring.defocus import disc, find_radius, noise_of, spectrum
from undegrade.deblurring.fourier import Pixels
from undegrade.deblurring.shake import find_path
from undegrade.images.colour import to_linear

SHOWN = 3  # parts of a picture in which a blur is looked for: those with the most contrast
SMALLEST = 64  # pixels a side, in which a blur can be found
FLAT = 1 / 255  # standard deviation of a part that shows nothing
# How careful a blur has to be undone: a path is found less exactly than a radius.
SHAKE, DEFOCUS = 3e-4, 1e-4
NOISY = 9.0  # and the more noise, the more: caution for each unit of its variance in linear light


def find_shake(parts: Sequence[NDArray[np.float32]]) -> Blur | None:
    """The path of the camera, the same in all parts of a picture, (3, h, w) in [0, 1] each; None: none can be found."""
    shown = _shown(parts)
    kernel = find_path(_brightness(shown)) if shown else None
    return None if kernel is None else Blur(kernel=kernel, caution=_caution(shown, SHAKE))


def find_defocus(parts: Sequence[NDArray[np.float32]]) -> Blur | None:
    """The disc that a point was spread to, the same in all parts of a picture; as `find_shake`."""
    shown = _shown(parts)
    return Blur(kernel=disc(find_radius(_brightness(shown))), caution=_caution(shown, DEFOCUS)) if shown else None


def _shown(parts: Sequence[NDArray[np.float32]]) -> list[Pixels]:
    """Those parts that show most, of one size, in linear light."""
    height, width = (min(part.shape[axis] for part in parts) for axis in (1, 2))
    if min(height, width) < SMALLEST:
        return []
    light = [to_linear(part[:, :height, :width]) for part in parts]
    contrast = {number: float(one.mean(0).std()) for number, one in enumerate(light)}
    best = sorted(contrast, key=lambda number: -contrast[number])[:SHOWN]
    return [light[number] for number in best if contrast[number] > FLAT]


def _brightness(shown: list[Pixels]) -> Pixels:
    return np.stack([one.mean(0, dtype=np.float32) for one in shown])


def _caution(shown: list[Pixels], least: float) -> float:
    """By the noise of the planes that are deconvolved."""
    noise = [np.mean([noise_of(*spectrum(plane)) for plane in one]) for one in shown]
    return max(least, NOISY * float(np.median(noise)))
