"""Pictures that are already in memory: numpy arrays and Pillow images, in and out as the same kind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from undegrade.errors import UndegradeError
from undegrade.images.files import read_picture
from undegrade.images.picture import SAMPLES, Picture, from_unit, gray_of, to_unit

# Pillow modes, by what the pixels are converted to on the way in and what the result is on the way out.
PILLOW_MODES = {
    "1": ("L", "L"),
    "L": ("L", "L"),
    "LA": ("LA", "LA"),
    "La": ("LA", "La"),
    "P": ("RGB", "RGB"),
    "PA": ("RGBA", "RGBA"),
    "RGB": ("RGB", "RGB"),
    "RGBX": ("RGB", "RGB"),
    "RGBA": ("RGBA", "RGBA"),
    "RGBa": ("RGBA", "RGBa"),
    "CMYK": ("RGB", "RGB"),
    "YCbCr": ("RGB", "YCbCr"),
    "HSV": ("RGB", "HSV"),
    "I": ("I", "I"),
    "I;16": ("I;16", "I;16"),
    "I;16L": ("I;16L", "I;16L"),
    "I;16B": ("I;16B", "I;16B"),
    "F": ("F", "F"),
}
PILLOW_DTYPES = {"I": "i4", "I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "F": "f4"}  # all others hold bytes


def from_object(image: object) -> tuple[Picture, Callable[[Picture], object]]:
    """A picture from what a program holds, and the function that turns a picture back into the same kind.

    Args:
        image: a path (what comes back is an (H, W, 3) uint8, uint16 or float32 array, by the file's depth), a Pillow
            image (same mode and `info`, not turned; palettes and CMYK come back as RGB, bilevel as gray), or an array
            of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), RGB, uint8, uint16 or float in [0, 1] (same type).

    Raises:
        UndegradeError: another type, shape, kind of number, or range of values.
    """
    if isinstance(image, (str, Path)):
        picture = read_picture(image)
        return picture, partial(_to_array, dtype=SAMPLES[picture.bits], num_dims=3, num_channels=3)
    if isinstance(image, np.ndarray):
        return _from_array(image)
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(image, pillow.Image):
        return _from_pillow(image)
    raise UndegradeError(f"image: {type(image).__name__}; expected a path, a Pillow image or a numpy array")


def _from_array(array: NDArray[Any]) -> tuple[Picture, Callable[[Picture], object]]:
    num_channels = 1 if array.ndim == 2 else array.shape[-1] if array.ndim == 3 else 0
    if num_channels not in (1, 3, 4) or array.size == 0:
        raise UndegradeError(f"image: shape {array.shape}; expected (H, W), or (H, W, C) with 1, 3 or 4 channels")
    if array.dtype not in (np.uint8, np.uint16) and array.dtype.kind != "f":
        raise UndegradeError(f"image: {array.dtype}; expected uint8, uint16, or floats in [0, 1]")
    planes = np.moveaxis(array.reshape(*array.shape[:2], num_channels), 2, 0)
    bits = 32 if array.dtype.kind == "f" else 8 * array.dtype.itemsize
    picture = _from_planes(planes, bits=bits, num_colours=1 if num_channels == 1 else 3)
    back = partial(_to_array, dtype=array.dtype, num_dims=array.ndim, num_channels=num_channels)
    return picture, back


def _from_planes(planes: NDArray[Any], *, bits: int, num_colours: int, profile: bytes | None = None) -> Picture:
    """(C, H, W) samples, gray or RGB and perhaps alpha, as a picture."""
    if planes.dtype.kind == "f" and not (planes.min() >= 0 and planes.max() <= 1):
        raise UndegradeError(f"image: floats from {planes.min():g} to {planes.max():g}; expected values in [0, 1]")
    values = to_unit(np.ascontiguousarray(planes))
    return Picture(
        pixels=np.repeat(values[:1], 3, axis=0) if num_colours == 1 else values[:3],
        alpha=values[num_colours:] if len(values) > num_colours else None,
        bits=bits,
        gray=num_colours == 1,
        profile=profile,
    )


def _to_array(picture: Picture, *, dtype: DTypeLike, num_dims: int, num_channels: int) -> NDArray[Any]:
    """The picture as an (H, W) or (H, W, C) array of `dtype`."""
    planes = gray_of(picture.pixels) if num_channels in (1, 2) else picture.pixels
    if num_channels in (2, 4):
        alpha = np.ones_like(planes[:1]) if picture.alpha is None else picture.alpha
        planes = np.concatenate([planes, alpha])
    array = np.ascontiguousarray(np.moveaxis(from_unit(planes, dtype), 0, 2))
    return array[:, :, 0] if num_dims == 2 else array


def _from_pillow(image: Any) -> tuple[Picture, Callable[[Picture], object]]:
    if getattr(image, "n_frames", 1) > 1:
        raise UndegradeError(f"image: {image.n_frames} frames; expected one, copy the frame you want into a new image")
    if image.mode not in PILLOW_MODES:
        raise UndegradeError(f"image: Pillow mode {image.mode}; expected one of {', '.join(PILLOW_MODES)}")
    mode, mode_back = PILLOW_MODES[image.mode]
    if image.mode == "P" and "transparency" in image.info:
        mode = mode_back = "RGBA"
    samples = np.asarray(image.convert(mode))
    bits = {"I": 16, "F": 32}.get(mode[0], 8)
    if mode == "I" and not (samples.min() >= 0 and samples.max() <= 65535):
        raise UndegradeError(f"image: integers from {samples.min()} to {samples.max()}; expected 0 to 65535")
    if bits == 16:
        samples = samples.astype(np.uint16)
    planes = np.moveaxis(samples.reshape(*samples.shape[:2], -1), 2, 0)
    num_colours = 1 if len(planes) < 3 else 3
    # A palette's or CMYK's transparency entry and profile describe samples that no longer exist.
    dropped = {"P": ("transparency",), "CMYK": ("icc_profile",)}.get(image.mode, ())
    info = {key: value for key, value in image.info.items() if key not in dropped}
    exif = image.getexif()
    if exif and "exif" not in info:
        info["exif"] = exif.tobytes()
    picture = _from_planes(planes, bits=bits, num_colours=num_colours, profile=info.get("icc_profile"))
    return picture, partial(_to_pillow, mode=mode, mode_back=mode_back, info=info)


def _to_pillow(picture: Picture, *, mode: str, mode_back: str, info: dict[str, Any]) -> object:
    """The picture as a Pillow image: samples in `mode`, converted to `mode_back`."""
    import PIL.Image

    dtype = PILLOW_DTYPES.get(mode, "u1")
    num_channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}.get(mode, 1)
    array = _to_array(
        picture,
        dtype=np.uint16 if mode[0] == "I" else dtype,
        num_dims=2 if num_channels == 1 else 3,
        num_channels=num_channels,
    )
    height, width = array.shape[:2]
    image = PIL.Image.frombytes(mode, (width, height), np.ascontiguousarray(array, dtype).tobytes())
    if mode_back != mode:
        image = image.convert(mode_back)
    image.info.update(info)
    return image
