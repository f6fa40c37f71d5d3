"""From a picture's own colour space to sRGB."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from undegrade.images.picture import Metadata, Picture, from_unit, gray_of, to_unit
from undegrade.images.vips import vips


def without_metadata(picture: Picture) -> Picture:
    """The picture alone: its colours in sRGB, so that they look right without the profile, and nothing beside them."""
    notes = picture.notes
    pixels = picture.pixels
    if picture.profile is not None:
        # libvips takes a damaged profile for sRGB without an error.
        if picture.profile[36:40] != b"acsp" or int.from_bytes(picture.profile[:4]) > len(picture.profile):
            notes += ("The ICC profile is damaged: the colours were taken as sRGB.",)
        else:
            pixels = _to_srgb(picture, picture.profile) if picture.pixels.size else pixels
            if picture.bits == 32:
                notes += ("Floats were rounded to 16 bits when their colours were converted to sRGB.",)
    return replace(picture, pixels=pixels, profile=None, metadata=Metadata(), notes=notes)


def _to_srgb(picture: Picture, profile: bytes) -> NDArray[np.float32]:
    """(3, H, W) in [0, 1], converted at 16 bits by relative colorimetry with black point compensation."""
    is_gray = profile[16:20] == b"GRAY"
    planes = gray_of(picture.pixels) if is_gray else picture.pixels
    samples = np.ascontiguousarray(np.moveaxis(from_unit(planes, np.uint16), 0, 2))
    image = vips().Image.new_from_array(samples).copy(interpretation="grey16" if is_gray else "rgb16")
    image.set_type(vips().GValue.blob_type, "icc-profile-data", profile)
    image = image.icc_transform("srgb", embedded=True, intent="relative", black_point_compensation=True, depth=16)
    converted = np.moveaxis(image.numpy().reshape(image.height, image.width, image.bands)[:, :, :3], 2, 0)
    pixels = to_unit(np.ascontiguousarray(converted))
    return np.repeat(gray_of(pixels), 3, axis=0) if picture.gray else pixels


def blended(
    original: NDArray[np.float32], restored: NDArray[np.float32], strength: float | NDArray[np.float32]
) -> NDArray[np.float32]:
    """Between two pictures of sRGB values in [0, 1], mixed as light is: (1 - s) original + s restored, in linear light.

    Args:
        original: (3, H, W), strength 0.
        restored: (3, H, W), strength 1.
        strength: s, in [0, 1]; or (H, W), of each pixel.
    """
    linear = (1 - strength) * to_linear(original) + strength * to_linear(restored)
    return to_display(linear)


def to_linear(display: NDArray[np.float32]) -> NDArray[np.float32]:
    """Display values -> linear light (IEC 61966-2-1)."""
    linear: NDArray[np.float32] = np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)
    return linear


def to_display(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light, at least 0 -> display values (IEC 61966-2-1)."""
    display = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return display.astype(np.float32)
