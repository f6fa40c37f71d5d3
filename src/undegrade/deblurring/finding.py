"""What blurred a picture, by the kind of blur."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from undegrade.deblurring.blur import Blur
from undegrade.deblurring.defocus import disc, find_radius, noise_of, spectrum
from undegrade.deblurring.fourier import Pixels
from undegrade.deblurring.shake import find_path
from undegrade.images.colour import to_linear

SHOWN = 3  # parts of a picture in which a path is looked for: those with the most contrast
LEAST = 64  # pixels a side, in which a blur can be found
FLAT = 1 / 255  # standard deviation of a part that shows nothing
# How careful it has to be undone: a path is found less exactly than a radius; and the more noise, the more.
CAUTION = {"motion_blur": 3e-4, "defocus_blur": 1e-4}
NOISY = 27.0  # a variance of linear light
BLURS = tuple(CAUTION)


def find_blur(kind: str, parts: Sequence[Pixels]) -> Blur | None:
    """The blur that is the same in all parts of a picture, (3, h, w) in [0, 1] each; None: nothing can be found.

    Args:
        kind: what it is taken for, of `BLURS`.
        parts: from anywhere in the picture.
    """
    if kind not in BLURS:
        return None
    height, width = (min(part.shape[axis] for part in parts) for axis in (1, 2))
    if min(height, width) < LEAST:
        return None
    planes = [to_linear(part[:, :height, :width]).mean(0, dtype=np.float32) for part in parts]
    planes = sorted(planes, key=lambda plane: -float(plane.std()))[:SHOWN]
    planes = [plane for plane in planes if plane.std() > FLAT]
    if not planes:
        return None
    kernel = find_path(np.stack(planes)) if kind == "motion_blur" else disc(find_radius(planes))
    if not kernel.any():
        return None
    noise = float(np.median([noise_of(*spectrum(plane)) for plane in planes]))
    return Blur(kernel=kernel, caution=max(CAUTION[kind], NOISY * noise))
