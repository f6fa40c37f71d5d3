"""Files <-> pictures in memory, with everything that has to be kept.

Pixels are (3, H, W) float32 RGB in [0, 1] here and beyond. libvips is imported by the first function that needs it.
"""

from undegrade.images.arrays import from_object
from undegrade.images.codecs import avif_roundtrip, encode_jpeg, jpeg_roundtrip, webp_roundtrip
from undegrade.images.files import SUFFIXES, decode_8bit, find_pictures, read_8bit, read_picture, write_picture
from undegrade.images.padding import crop_to, pad_to_multiple
from undegrade.images.picture import Metadata, Picture, with_pixels
from undegrade.images.sheet import before_after_sheet

__all__ = [
    "SUFFIXES",
    "Metadata",
    "Picture",
    "avif_roundtrip",
    "before_after_sheet",
    "crop_to",
    "decode_8bit",
    "encode_jpeg",
    "find_pictures",
    "from_object",
    "jpeg_roundtrip",
    "pad_to_multiple",
    "read_8bit",
    "read_picture",
    "webp_roundtrip",
    "with_pixels",
    "write_picture",
]
