"""What a trip through a JPEG, WebP or AVIF file does to pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.images.picture import from_unit, to_unit
from undegrade.images.vips import vips

Pixels = NDArray[np.float32]


def encode_jpeg(pixels: Pixels, quality: int, *, chroma: int = 2) -> bytes:
    """The pixels as a baseline JPEG file without metadata; arguments and errors as for `jpeg_roundtrip`."""
    image = _image(pixels, quality, lowest=1)
    if chroma == 1:  # libvips cannot; Pillow asks the same library
        return _encode_halved_across(pixels, quality)
    return bytes(image.jpegsave_buffer(Q=quality, subsample_mode="on" if chroma else "off", keep="none"))


def _encode_halved_across(pixels: Pixels, quality: int) -> bytes:
    try:
        from PIL import Image
    except ImportError:
        raise UndegradeError(
            'chroma: 1 (4:2:2) needs Pillow, which is not installed; run pip install "undegrade[train]"'
        ) from None
    with io.BytesIO() as file:
        Image.fromarray(_samples(pixels)).save(file, "JPEG", quality=quality, subsampling=1)
        return file.getvalue()


def jpeg_roundtrip(pixels: Pixels, quality: int, *, chroma: int = 2) -> Pixels:
    """Encodes pixels as a baseline JPEG in memory and decodes it again.

    The quantisation tables are those of the JPEG standard (ITU-T T.81, Annex K, tables K.1 and K.2), scaled by the
    libjpeg rule: s = 5000 / quality below 50, else 200 - 2 quality; table = clip((K s + 50) / 100, 1, 255). libvips
    leaves the other tables and the trellis of mozjpeg off, so Pillow at the same quality gives the same pixels.

    Args:
        pixels: (3, H, W) RGB in [0, 1]; rounded to 8 bits first.
        quality: libjpeg's, 1 to 100.
        chroma: 0 keeps it whole (4:4:4), 1 halves it across (4:2:2), as many cameras do, 2 both ways (4:2:0), as
            phones and most web sites do.

    Returns:
        (3, H, W) float32 in [0, 1]. Safe to call from several threads.

    Raises:
        UndegradeError: `quality` is out of range, `pixels` not (3, H, W), or the process was forked (see `vips`).
    """
    encoded = encode_jpeg(pixels, quality, chroma=chroma)
    return _decoded(vips().Image.jpegload_buffer(encoded, access="sequential"))


def webp_roundtrip(pixels: Pixels, quality: int) -> Pixels:
    """Encodes (3, H, W) RGB in [0, 1] as lossy WebP in memory and decodes it again.

    Chroma is always halved both ways. At libwebp's default method (4), so Pillow at the same quality does the same.

    Raises:
        UndegradeError: `quality`, libwebp's, is not 0 to 100, or `pixels` not (3, H, W).
    """
    image = _image(pixels, quality)
    with _codec_of("WebP"):
        encoded = image.webpsave_buffer(Q=quality, effort=4, keep="none")
        return _decoded(vips().Image.webpload_buffer(encoded, access="sequential"))


def avif_roundtrip(pixels: Pixels, quality: int) -> Pixels:
    """Encodes (3, H, W) RGB in [0, 1] as 8-bit AVIF with halved chroma in memory and decodes it again.

    Raises:
        UndegradeError: `quality`, libheif's, is not 0 to 100, or `pixels` not (3, H, W).
    """
    # Effort 1 costs a seventh of 4 at nearly the same pixels for the bytes.
    image = _image(pixels, quality)
    with _codec_of("AVIF"):
        encoded = image.heifsave_buffer(
            Q=quality, compression="av1", bitdepth=8, subsample_mode="on", effort=1, keep="none"
        )
        return _decoded(vips().Image.heifload_buffer(encoded, access="sequential"))


@contextmanager
def _codec_of(name: str) -> Iterator[None]:
    """What libvips says where it was built without a codec becomes an error that names it and how to get it."""
    try:
        yield
    except (vips().Error, AttributeError) as error:
        raise UndegradeError(
            f"{name}: this libvips has not its codec ({error}); that of pip install 'pyvips[binary]' has"
        ) from None


def _image(pixels: Pixels, quality: int, *, lowest: int = 0) -> Any:
    """The pixels as an 8-bit pyvips image; refuses a quality below `lowest` or above 100."""
    if not lowest <= quality <= 100:
        raise UndegradeError(f"quality: {quality}; expected {lowest} to 100")
    if pixels.ndim != 3 or pixels.shape[0] != 3:
        raise UndegradeError(f"pixels: shape {pixels.shape}; expected (3, H, W)")
    _, height, width = pixels.shape
    image = vips().Image.new_from_memory(_samples(pixels), width, height, 3, "uchar")
    return image.copy(interpretation="srgb")


def _samples(pixels: Pixels) -> NDArray[np.uint8]:
    """(3, H, W) in [0, 1] -> (H, W, 3), rounded to 8 bits."""
    return np.ascontiguousarray(np.moveaxis(from_unit(pixels, np.uint8), 0, 2))


def _decoded(image: Any) -> Pixels:
    """(3, H, W) in [0, 1] of a pyvips image."""
    # A region is computed in this thread: on small patches, starting libvips' own costs more than decoding.
    region = vips().Region.new(image).fetch(0, 0, image.width, image.height)
    samples = np.frombuffer(region, np.uint8).reshape(image.height, image.width, 3)
    return to_unit(np.ascontiguousarray(np.moveaxis(samples, 2, 0)))
