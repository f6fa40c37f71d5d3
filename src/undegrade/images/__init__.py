"""Files <-> pictures in memory, with everything that has to be kept."""

from undegrade.images.files import find_pictures, read_picture, write_picture
from undegrade.images.jpeg import jpeg_roundtrip

__all__ = ["find_pictures", "jpeg_roundtrip", "read_picture", "write_picture"]
