"""Which kinds of files there are, and how one is told by its content."""

from __future__ import annotations

import struct
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.images import tiff
from undegrade.images.content import Content

# What is written, by the end of the file's name.
SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WebP",
    ".avif": "AVIF",
}
LOSSY = ("JPEG", "WebP", "AVIF")
# What is only read: GIF holds too few colours, and the others are what cameras write.
RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mos", ".mrw", ".nef", ".nrw"),
    *(".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
READ_SUFFIXES = (*SUFFIXES, ".gif", ".heic", ".heif", *RAW_SUFFIXES)
BITS = {"uchar": 8, "ushort": 16, "float": 32}  # of a sample, by libvips' name of its format
READ_FORMATS = ("PNG", "JPEG", "TIFF", "WebP", "AVIF", "GIF", "HEIC", "RAW")

# First bytes of camera RAW files that are no TIFF files: Fujifilm, Olympus (three), Panasonic, Canon, Sigma, Minolta.
RAW_MARKS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"II\x1a\0\0\0HEAPCCDR", b"FOVb", b"\0MRM")
# The brands of an ISO media file (ISO/IEC 14496-12, "ftyp"), by what its pictures are coded with.
AVIF_BRANDS = {b"avif", b"avis"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}

# First bytes of what people hand over by mistake, and what to do about each.
REFUSED = {
    b"%PDF": "a PDF document; export the page as .png first",
    b"<svg": "an SVG drawing, which has no pixels; export it as .png first",
    b"8BPS": "a Photoshop document; export it as .tif or .png first",
    b"BM": "a BMP file; save it as .png first",
    b"\xff\x0a": "a JPEG XL file; convert it to .png or .avif first",
    b"\0\0\0\x0cJXL ": "a JPEG XL file; convert it to .png or .avif first",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 file; convert it to .png or .tif first",
}


def find_format(name: str | Path, content: Content) -> str:
    """One of `READ_FORMATS`, by the content alone, because names lie.

    Raises:
        UndegradeError: something else, by `name`.
    """
    head = content[:1000]
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(RAW_MARKS):
        return "RAW"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "RAW" if head[8:10] == b"CR" or tiff.is_raw(content) else "TIFF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return _media_format(name, head)
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    for mark, what in REFUSED.items():
        if head.startswith(mark) or (mark == b"<svg" and mark in head):
            raise UndegradeError(f"{name}: {what}")
    raise UndegradeError(f"{name}: not a picture; expected one of {', '.join(READ_FORMATS)}")


def _media_format(name: str | Path, head: bytes) -> str:
    (size,) = struct.unpack(">I", head[:4])
    brands = {head[at : at + 4] for at in (8, *range(16, min(size, len(head)), 4))}
    if b"crx " in brands:
        return "RAW"
    if brands & HEIC_BRANDS and head[8:12] not in AVIF_BRANDS:
        return "HEIC"
    if brands & AVIF_BRANDS:
        return "AVIF"
    raise UndegradeError(f"{name}: a video, or a picture in a codec that is not read; export a .png or .jpg first")
