"""What a trip through a WebP or AVIF file does to pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.images.picture import from_unit, to_unit
from undegrade.images.vips import vips

Pixels = NDArray[np.float32]


def webp_roundtrip(pixels: Pixels, quality: int) -> Pixels:
    """Encodes (3, H, W) RGB in [0, 1] as lossy WebP in memory and decodes it again.

    Chroma is always halved both ways. At libwebp's default method (4), so Pillow at the same quality does the same.

    Raises:
        UndegradeError: `quality`, libwebp's, is not 0 to 100, or `pixels` not (3, H, W).
    """
    return _roundtrip(
        pixels,
        quality,
        lambda image: image.webpsave_buffer(Q=quality, effort=4, keep="none"),
        lambda encoded: vips().Image.webpload_buffer(encoded, access="sequential"),
    )


def avif_roundtrip(pixels: Pixels, quality: int) -> Pixels:
    """Encodes (3, H, W) RGB in [0, 1] as 8-bit AVIF with halved chroma in memory and decodes it again.

    Raises:
        UndegradeError: `quality`, libheif's, is not 0 to 100, or `pixels` not (3, H, W).
    """
    # Effort 1 costs a seventh of 4 at nearly the same pixels for the bytes.
    return _roundtrip(
        pixels,
        quality,
        lambda image: image.heifsave_buffer(
            Q=quality, compression="av1", bitdepth=8, subsample_mode="on", effort=1, keep="none"
        ),
        lambda encoded: vips().Image.heifload_buffer(encoded, access="sequential"),
    )


def _roundtrip(pixels: Pixels, quality: int, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]) -> Pixels:
    if not 0 <= quality <= 100:
        raise UndegradeError(f"quality: {quality}; expected 0 to 100")
    if pixels.ndim != 3 or pixels.shape[0] != 3:
        raise UndegradeError(f"pixels: shape {pixels.shape}; expected (3, H, W)")
    pyvips = vips()
    _, height, width = pixels.shape
    samples = np.ascontiguousarray(np.moveaxis(from_unit(pixels, np.uint8), 0, 2))
    image = pyvips.Image.new_from_memory(samples, width, height, 3, "uchar").copy(interpretation="srgb")
    # A region is computed in this thread: on small patches, starting libvips' own costs more than decoding.
    region = pyvips.Region.new(decode(encode(image))).fetch(0, 0, width, height)
    samples = np.frombuffer(region, np.uint8).reshape(height, width, 3)
    return to_unit(np.ascontiguousarray(np.moveaxis(samples, 2, 0)))
