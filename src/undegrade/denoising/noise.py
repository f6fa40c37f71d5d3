"""How strong a noise is that is alike all over a picture, and what is left of the picture without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from undegrade.denoising.spectrum import LEAST_SIGMA, NORMAL, SQUARE, clear_squares, coarse_noise, spread
from undegrade.transform import Pixels, shrunk, turned, turned_back

SMALLEST = 64  # pixels a side, in which noise can be measured
FINEST = 5  # of eight: from this wave on, most squares show nothing but noise
STEP = 4  # pixels, from one square to the next of the first estimate
LARGE, LARGE_STEP = 16, 4  # pixels, of the second
THRESHOLD = 2.7  # standard deviations, below which a coefficient is taken for noise
# Logarithms (of 2) of a noise's strength in levels, and the filter's share in the result at each: beside what the
# network makes, and beside what a second one has gone over.
FIRST_SHARE, FINISHED_SHARE = ((4.4, 5.6), (1.0, 0.7)), ((2.3, 5.4), (1.0, 0.2))
FAINTEST = 0.5 / 255  # standard deviation: less than that, nothing is to be gained
FAINTEST_WAVE = 2 / 255  # of the strongest wave of coarse noise


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseLevel:
    """That of a whole picture.

    Args:
        sigmas: (3,), standard deviations of brightness and of two differences of colour (`transform.turned`).
        slopes: (3, 2), how much stronger coarse waves are than fine ones (`spectrum.spread`); zeros of even noise.
    """

    sigmas: Pixels
    slopes: Pixels = field(default_factory=lambda: np.zeros((3, 2), np.float32))

    @property
    def is_coarse(self) -> bool:
        """Whether a camera has smoothed it."""
        return bool(self.slopes.any())

    @property
    def strength(self) -> float:
        """Root mean square over the waves of brightness and colour."""
        return float(np.sqrt(np.square(self.of_squares(SQUARE)).mean()))

    def of_squares(self, size: int) -> Pixels:
        """(3, 1, size, 1, size), the standard deviation of each wave of squares."""
        return spread(self.sigmas, self.slopes, size)[:, None, :, None]


def find_noise(parts: Sequence[Pixels]) -> NoiseLevel | None:
    """The noise that is the same in all parts of a picture, (3, h, w) in [0, 1] each; None: there is none to be found.

    The median over the finest waves of squares, as in "Ideal spatial adaptation by wavelet shrinkage", Biometrika 1994.
    Squares of which a quarter is black or white say nothing, as noise is cut off there; in deep shadows it is measured
    too faint for the same reason. Noise that a camera has smoothed is measured wave by wave (`spectrum.coarse_noise`).
    """
    if min(min(part.shape[1:]) for part in parts) < SMALLEST:
        return None
    if coarse := coarse_noise(parts):
        found = NoiseLevel(sigmas=coarse[0], slopes=coarse[1])
        return found if found.of_squares(SQUARE).max() > FAINTEST_WAVE else None
    fine = [clear_squares(part)[:, :, FINEST:, FINEST:].reshape(3, -1) for part in parts]
    sizes = np.abs(np.concatenate(fine, 1))
    if not sizes.shape[1]:
        return None
    sigmas = (np.median(sizes, 1) / NORMAL).astype(np.float32)
    return NoiseLevel(sigmas=np.maximum(sigmas, LEAST_SIGMA)) if sigmas.max() > FAINTEST else None


def refine(picture: Pixels, pilot: Pixels, noise: NoiseLevel, *, finished: bool = False) -> Pixels:
    """A noisy picture (3, H, W) in [0, 1] without its noise; same shape, not clipped.

    A first estimate keeps of the cosine transform of squares what is above the noise. The second one multiplies each
    coefficient by p^2 / (p^2 + sigma^2), p being that of the mean of the first estimate and of the pilot: Wiener's
    filter, as in the second step of "Image Denoising by Sparse 3-D Transform-Domain Collaborative Filtering", IEEE TIP
    2007, but of squares by themselves. Of that the result is a share (`filter_share`), the rest the pilot.

    Args:
        picture: the noisy one.
        pilot: what a network makes of it.
        noise: of the picture that it is a part of.
        finished: whether a second network has gone over that.
    """
    small, large = (noise.of_squares(size) for size in (SQUARE, LARGE))

    def loud(noisy: Pixels) -> Pixels:
        return (np.abs(noisy) > THRESHOLD * small).astype(np.float32)

    def likely(noisy: Pixels, known: Pixels) -> Pixels:
        power = np.square(known)
        return power / (power + np.square(large))

    planes = turned(picture)
    first = shrunk((planes,), loud, size=SQUARE, step=STEP)
    known = (first + turned(pilot)) / np.float32(2)
    made = turned_back(shrunk((planes, known), likely, size=LARGE, step=LARGE_STEP))
    share = filter_share(noise, finished=finished)
    return share * made + (1 - share) * pilot


def filter_share(noise: NoiseLevel, *, finished: bool) -> np.float32:
    """How much of the result is the filter's: the less, the more noise there is, and the better the pilot is."""
    return np.float32(np.interp(np.log2(255 * noise.strength), *(FINISHED_SHARE if finished else FIRST_SHARE)))
