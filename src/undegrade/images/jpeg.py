"""What a trip through a JPEG file does to pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.images.picture import from_unit, to_unit
from undegrade.images.vips import vips


def encode_jpeg(pixels: NDArray[np.float32], quality: int, *, subsample: bool = True) -> bytes:
    """The pixels as a baseline JPEG file without metadata; arguments and errors as for `jpeg_roundtrip`."""
    if not 1 <= quality <= 100:
        raise UndegradeError(f"quality: {quality}; expected 1 to 100")
    if pixels.ndim != 3 or pixels.shape[0] != 3:
        raise UndegradeError(f"pixels: shape {pixels.shape}; expected (3, H, W)")
    _, height, width = pixels.shape
    samples = np.ascontiguousarray(np.moveaxis(from_unit(pixels, np.uint8), 0, 2))
    image = vips().Image.new_from_memory(samples, width, height, 3, "uchar")
    return bytes(image.jpegsave_buffer(Q=quality, subsample_mode="on" if subsample else "off", keep="none"))


def jpeg_roundtrip(pixels: NDArray[np.float32], quality: int, *, subsample: bool = True) -> NDArray[np.float32]:
    """Encodes pixels as a baseline JPEG in memory and decodes it again.

    The quantisation tables are those of the JPEG standard (ITU-T T.81, Annex K, tables K.1 and K.2), scaled by the
    libjpeg rule: s = 5000 / quality below 50, else 200 - 2 quality; table = clip((K s + 50) / 100, 1, 255). libvips
    leaves the other tables and the trellis of mozjpeg off, so Pillow at the same quality gives the same pixels.

    Args:
        pixels: (3, H, W) RGB in [0, 1]; rounded to 8 bits first.
        quality: libjpeg's, 1 to 100.
        subsample: halves the chroma both ways (4:2:0), as phones and most web sites do; otherwise 4:4:4.

    Returns:
        (3, H, W) float32 in [0, 1]. Safe to call from several threads.

    Raises:
        UndegradeError: `quality` is out of range, `pixels` not (3, H, W), or the process was forked (see `vips`).
    """
    encoded = encode_jpeg(pixels, quality, subsample=subsample)
    _, height, width = pixels.shape
    pyvips = vips()
    decoded = pyvips.Image.jpegload_buffer(encoded, access="sequential")
    # A region is computed in this thread: on small patches, starting libvips' own costs more than decoding.
    region = pyvips.Region.new(decoded).fetch(0, 0, width, height)
    samples = np.frombuffer(region, np.uint8).reshape(height, width, 3)
    return to_unit(np.ascontiguousarray(np.moveaxis(samples, 2, 0)))
