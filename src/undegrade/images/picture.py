"""A picture in memory, with everything its file needs to be written again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from undegrade.errors import UndegradeError

SAMPLES: dict[int, type[np.generic]] = {8: np.uint8, 16: np.uint16, 32: np.float32}  # by their bits


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a file says beside its pixels; all of it describes upright pixels.

    Args:
        exif: the EXIF block, from its byte order mark (II or MM) on; Orientation 1, no embedded preview.
        xmp: the XMP packet.
        iptc: IPTC-IIM records, without the Photoshop wrapper.
        comments: (keyword, text) pairs, from PNG text chunks or JPEG comments.
        resolution: horizontal and vertical, in pixels per millimetre; None where the file names none.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    comments: tuple[tuple[str, str], ...] = ()
    resolution: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """One upright picture in its own colour space.

    Args:
        pixels: (3, H, W) float32 RGB in [0, 1], in the space that `profile` names (sRGB without one).
        alpha: (1, H, W) float32 in [0, 1], 1 is opaque; None without transparency.
        bits: of one sample in the original: 8, 16, or 32 for floats.
        gray: the original has one channel, so it is written with one.
        profile: the ICC profile.
        metadata: EXIF, XMP, IPTC, comments, resolution.
        notes: what reading changed or could not keep, one sentence each.

    Raises:
        UndegradeError: a field has another shape, type or value.
    """

    pixels: NDArray[np.float32]
    alpha: NDArray[np.float32] | None = None
    bits: int = 8
    gray: bool = False
    profile: bytes | None = None
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.float32 or self.pixels.ndim != 3 or self.pixels.shape[0] != 3:
            raise UndegradeError(
                f"pixels: {self.pixels.dtype} of shape {self.pixels.shape}; expected float32 of shape (3, H, W)"
            )
        if self.alpha is not None and (
            self.alpha.dtype != np.float32 or self.alpha.shape != (1, *self.pixels.shape[1:])
        ):
            raise UndegradeError(
                f"alpha: {self.alpha.dtype} of shape {self.alpha.shape}; expected float32 of shape "
                f"{(1, *self.pixels.shape[1:])}"
            )
        if self.bits not in (8, 16, 32):
            raise UndegradeError(f"bits: {self.bits}; expected 8, 16 or 32")


def with_pixels(picture: Picture, pixels: NDArray[np.float32]) -> Picture:
    """The same picture with other `pixels`, (3, H, W) float32; values outside [0, 1] are clipped on writing."""
    return replace(picture, pixels=pixels)


def gray_of(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Luma of (3, H, W) RGB -> (1, H, W): 0.2126 R + 0.7152 G + 0.0722 B.

    Written as differences from G, so that R = G = B comes back exactly.
    """
    red, green, blue = pixels
    gray: NDArray[np.float32] = green + np.float32(0.2126) * (red - green) + np.float32(0.0722) * (blue - green)
    return gray[None]


def to_unit(samples: NDArray[Any]) -> NDArray[np.float32]:
    """uint8, uint16 or float samples -> float32, the integers divided by their largest value.

    >>> to_unit(np.array([0, 255], np.uint8)).tolist()
    [0.0, 1.0]
    """
    if samples.dtype.kind == "u":
        return np.divide(samples, np.iinfo(samples.dtype).max, dtype=np.float32)
    return samples.astype(np.float32)


def from_unit(pixels: NDArray[np.floating[Any]], dtype: DTypeLike) -> NDArray[Any]:
    """Values in [0, 1] -> samples of `dtype` (uint8, uint16 or a float), clipped, rounded to the nearest.

    >>> from_unit(np.array([-0.5, 0.5, 2.0]), np.uint8).tolist()
    [0, 128, 255]

    Raises:
        UndegradeError: a value is not a number.
    """
    if not np.isfinite(pixels).all():
        raise UndegradeError("pixels: not all are finite numbers; expected values in [0, 1]")
    clipped = np.clip(pixels, 0, 1)
    if np.issubdtype(dtype, np.integer):
        return np.rint(clipped * np.iinfo(np.dtype(dtype)).max).astype(dtype)
    return clipped.astype(dtype)
