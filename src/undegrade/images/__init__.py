"""Files <-> pictures in memory, with everything that has to be kept.

Pixels are (3, H, W) float32 RGB in [0, 1] here and beyond. libvips is imported by the first function that needs it.
"""

from undegrade.images.arrays import from_object
from undegrade.images.codecs import avif_roundtrip, encode_jpeg, jpeg_roundtrip, webp_roundtrip
from undegrade.images.colour import blended, without_metadata
from undegrade.images.files import (
    Opened,
    decode,
    decode_8bit,
    find_pictures,
    open_image,
    read_8bit,
    read_picture,
    refuse_unlike_pages,
)
from undegrade.images.formats import LOSSY, SUFFIXES
from undegrade.images.limits import LIMITS, Limits
from undegrade.images.padding import crop_to, pad_to_multiple
from undegrade.images.picture import Metadata, Picture, with_pixels
from undegrade.images.sheet import before_after_sheet
from undegrade.images.stream import PictureRows, reduced
from undegrade.images.writing import check_target, write_picture, write_rows
from undegrade.images.xmp import with_restoration

__all__ = [
    "LIMITS",
    "LOSSY",
    "SUFFIXES",
    "Limits",
    "Metadata",
    "Opened",
    "Picture",
    "PictureRows",
    "avif_roundtrip",
    "before_after_sheet",
    "blended",
    "check_target",
    "crop_to",
    "decode",
    "decode_8bit",
    "encode_jpeg",
    "find_pictures",
    "from_object",
    "jpeg_roundtrip",
    "open_image",
    "pad_to_multiple",
    "read_8bit",
    "read_picture",
    "reduced",
    "refuse_unlike_pages",
    "webp_roundtrip",
    "with_pixels",
    "with_restoration",
    "without_metadata",
    "write_picture",
    "write_rows",
]
