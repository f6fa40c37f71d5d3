"""HEIC, what phones write: read by pi-heif (libheif, libde265), which the extra `heic` brings.

libvips' own binary has no decoder for its codec, HEVC.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from undegrade.errors import UndegradeError
from undegrade.images.vips import vips


def load_heic(data: bytes, check: Callable[[int, int], None]) -> Any:
    """The picture in a HEIC file as a pyvips image, with its profile, EXIF and XMP.

    Args:
        data: the file.
        check: told width and height before anything is decoded; may raise.

    Raises:
        UndegradeError: the extra is not installed; the file is damaged, or holds several pictures.
    """
    try:
        import pi_heif
    except ImportError:
        raise UndegradeError(
            "an HEIC file, which needs the extra heic: pip install 'undegrade[heic]'; or convert it to .jpg"
        ) from None
    try:
        file = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
        num_pictures, (width, height), info = len(file), file.size, file.info
    except Exception as error:  # the library documents no errors of its own
        raise UndegradeError(_damaged(error)) from None
    if num_pictures > 1:
        raise UndegradeError(f"holds {num_pictures} pictures; expected one, save the one you want alone")
    check(width, height)
    try:
        samples = np.ascontiguousarray(np.asarray(file))
    except Exception as error:
        raise UndegradeError(_damaged(error)) from None
    samples = samples.reshape(height, width, -1)
    names = {(1, 8): "b-w", (1, 16): "grey16", (0, 8): "srgb", (0, 16): "rgb16"}
    deep = 16 if samples.dtype.itemsize == 2 else 8
    image = vips().Image.new_from_array(samples).copy(interpretation=names[(samples.shape[2] < 3, deep)])
    image.set_type(vips().GValue.gint_type, "bits-per-sample", int(info.get("bit_depth", deep)))
    for field, key in (("icc-profile-data", "icc_profile"), ("exif-data", "exif"), ("xmp-data", "xmp")):
        if info.get(key):
            image.set_type(vips().GValue.blob_type, field, info[key])
    return image


def _damaged(error: Exception) -> str:
    detail = " ".join(str(error).split()) or type(error).__name__
    return f"the HEIC file is cut short or damaged; copy it again from its source ({detail})"
