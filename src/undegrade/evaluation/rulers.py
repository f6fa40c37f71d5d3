"""Rulers: what exactly is measured when a picture is said to have so many decibels.

Two numbers can be compared if their rulers are the same. So each has a name, and the name stands beside every number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.metrics import find_metric, luma, quantise, ssim

Pixels = NDArray[np.float32]  # (3, H, W) in [0, 1]

LUMA_METRICS = {"psnr", "ssim", "ms_ssim", "vif"}  # that have a meaning on one channel


@dataclass(frozen=True, kw_only=True)
class Ruler:
    """How degraded pictures are made and given, and on what of the restored ones the metrics are taken.

    Args:
        name: stands beside every number.
        says: the definition in one line.
        multiple: pictures are cropped about their middle to a multiple of so many pixels a side.
        rounds: restored pictures are rounded to 8 bits before they are measured.
        on_luma: measured is the luma (BT.601, 16 to 235) instead of RGB.
        border: pixels at each edge that are not measured.
        flat_ssim: SSIM by a flat window of 7 x 7 with the sample covariance, instead of a Gaussian one.
    """

    name: str
    says: str
    multiple: int = 1
    rounds: bool = True
    on_luma: bool = False
    border: int = 0
    flat_ssim: bool = False

    def noisy(self, clean: Pixels, sigma: float) -> Pixels | None:
        """The clean picture with the ruler's own noise of standard deviation sigma (8-bit levels), not rounded.

        None: the ruler has none, and noise is that of the catalogue.
        """
        return None

    def take(self, picture: Pixels) -> Pixels:
        """The part of a picture that is used: its middle, a multiple of `multiple` pixels a side.

        Raises:
            UndegradeError: it has fewer pixels than that.
        """
        _, height, width = picture.shape
        if min(height, width) < self.multiple:
            raise UndegradeError(f"{width} x {height} pixels; the ruler {self.name} needs {self.multiple} a side")
        over = height % self.multiple, width % self.multiple
        top, left = over[0] // 2, over[1] // 2
        return picture[:, top : top + height - over[0], left : left + width - over[1]].copy()

    def measure(self, restored: Pixels, clean: Pixels, metrics: tuple[str, ...]) -> dict[str, float]:
        """The metrics of a restored picture; both (3, H, W), the restored one not yet clipped.

        Raises:
            UndegradeError: the sizes differ, or the restored picture holds what is no number.
        """
        if restored.shape != clean.shape:
            sizes = [f"{width} x {height}" for _, height, width in (restored.shape, clean.shape)]
            raise UndegradeError(f"the restored picture has {sizes[0]} pixels, the clean one {sizes[1]}")
        if not np.isfinite(restored).all():
            raise UndegradeError("the restored picture holds values that are no numbers")
        if min(clean.shape[1:]) <= 2 * self.border:
            _, height, width = clean.shape
            raise UndegradeError(f"{width} x {height} pixels; nothing is left within a border of {self.border}")
        one, other = self._seen(restored), self._seen(clean)
        return {name: self._value(name, one, other) for name in metrics}

    def _seen(self, picture: Pixels) -> Pixels:
        picture = quantise(picture) if self.rounds else np.clip(picture, 0, 1)
        picture = luma(picture) if self.on_luma else picture
        edge = self.border
        return picture[:, edge : picture.shape[1] - edge, edge : picture.shape[2] - edge]

    def _value(self, name: str, restored: Pixels, clean: Pixels) -> float:
        if self.on_luma and name not in LUMA_METRICS:
            raise UndegradeError(f"metric {name}: needs colours, which the ruler {self.name} leaves out")
        metric = find_metric(name)
        if min(clean.shape[1:]) < metric.least_side:
            _, height, width = clean.shape
            raise UndegradeError(f"{width} x {height} pixels; {name} needs at least {metric.least_side} a side")
        if name == "ssim" and self.flat_ssim:
            return ssim(restored, clean, flat=True)
        return metric.function(restored, clean)


@dataclass(frozen=True, kw_only=True)
class Undegrade(Ruler):
    """Ours: everything as it would be saved.

    Degraded pictures are made by the catalogue, picture number n from seed n, and rounded to 8 bits, as a file would
    hold them. Restored pictures are clipped and rounded to 8 bits. PSNR on RGB over the whole picture; SSIM by a
    Gaussian window (11 x 11, sigma 1.5) over RGB.
    """

    name: str = "undegrade"
    says: str = "RGB; input seeded by picture and rounded to 8 bits; output rounded to 8 bits; whole picture"


@dataclass(frozen=True, kw_only=True)
class Dcpt(Ruler):
    """As DCPT (ICLR 2025) is tested.

    Noise is y = x + sigma / 255 * e, e ~ N(0, 1) drawn anew for each picture from numpy's legacy generator with seed 0
    in the order (H, W, RGB); it is neither clipped nor rounded. Restored pictures are rounded to 8 bits. RGB, no crop.
    Other degradations are files or, where they are generated, as in the ruler `undegrade`.
    """

    name: str = "dcpt"
    says: str = "RGB; noise of seed 0, neither clipped nor rounded; output rounded to 8 bits; whole picture"

    def noisy(self, clean: Pixels, sigma: float) -> Pixels:
        """See `Ruler.noisy`."""
        return clean + _legacy_noise(clean, sigma)


@dataclass(frozen=True, kw_only=True)
class MaskDcpt(Ruler):
    """As MaskDCPT (2025) is tested: the noise of `dcpt` clipped to [0, 1], and restored pictures that stay floats."""

    name: str = "maskdcpt"
    says: str = "RGB; noise of seed 0, clipped, not rounded; output clipped, not rounded; whole picture"
    rounds: bool = False

    def noisy(self, clean: Pixels, sigma: float) -> Pixels:
        """See `Ruler.noisy`."""
        return np.clip(clean + _legacy_noise(clean, sigma), 0, 1)


@dataclass(frozen=True, kw_only=True)
class PromptIr(Ruler):
    """As PromptIR (NeurIPS 2023) is tested.

    Pictures are cropped about their middle to a multiple of 16. Noise (seed 0) is added to 8-bit values, clipped to 0
    to 255 and cut to whole ones, downwards. Restored pictures are clipped floats; PSNR and SSIM by scikit-image with a
    range of 1, SSIM by its flat window of 7 x 7.
    """

    name: str = "promptir"
    says: str = "RGB; cropped to a multiple of 16; noise clipped and cut to 8 bits; output clipped, not rounded"
    multiple: int = 16
    rounds: bool = False
    flat_ssim: bool = True

    def noisy(self, clean: Pixels, sigma: float) -> Pixels:
        """See `Ruler.noisy`."""
        return np.floor(np.clip(255 * (clean + _legacy_noise(clean, sigma)), 0, 255)).astype(np.float32) / 255


@dataclass(frozen=True, kw_only=True)
class Luma(Ruler):
    """On light alone, as pictures that were made larger, and rain, are often measured.

    Restored pictures are rounded to 8 bits; measured is Y = (65.481 R + 128.553 G + 24.966 B + 16) / 255 (BT.601),
    without `border` pixels at each edge: as many as the factor of enlargement, none unless said.
    """

    name: str = "y"
    says: str = "luma of BT.601; input and output rounded to 8 bits"
    on_luma: bool = True


def _legacy_noise(clean: Pixels, sigma: float) -> Pixels:
    """(3, H, W), drawn in the order (H, W, 3) from numpy's old generator with seed 0, as those tests do."""
    _, height, width = clean.shape
    drawn = np.random.RandomState(0).normal(0, sigma / 255, (height, width, 3))
    return drawn.transpose(2, 0, 1).astype(np.float32)


RULERS: dict[str, Ruler] = {
    "undegrade": Undegrade(),
    "dcpt": Dcpt(),
    "maskdcpt": MaskDcpt(),
    "promptir": PromptIr(),
    "y": Luma(),
}


def find_ruler(name: str, border: int = 0) -> Ruler:
    """The ruler of that name; `border` pixels at each edge are not measured.

    A ruler with a border is another one, so its name says so.

    >>> find_ruler("y", border=4).name
    'y, border 4'

    Raises:
        UndegradeError: there is none.
    """
    if name not in RULERS:
        raise UndegradeError(f"--ruler: {name!r} is not known; known are {', '.join(RULERS)}")
    ruler = RULERS[name]
    return replace(ruler, name=f"{name}, border {border}", border=border) if border else ruler
