"""What libvips leaves out of JPEG and PNG files, or changes: EXIF, XMP, IPTC, comments.

A JPEG file is a list of segments, a PNG file a list of chunks; both are read up to the pixels, and written by putting
new ones in front of them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from undegrade.images.content import Content, Edit

EXIF_MARK = b"Exif\0\0"
XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
PHOTOSHOP_MARK = b"Photoshop 3.0\0"
LARGEST_SEGMENT = 65533  # bytes of one JPEG segment, beside its own length
LARGEST_TEXT = 1 << 20  # bytes of one PNG comment; the rest is cut off
LARGEST_CHUNK = 64 << 20  # bytes of one PNG chunk that are looked at; no limit on metadata lets more pass
IPTC_RESOURCE = 0x0404

APP0, APP1, APP2, APP13, COMMENT = 0xE0, 0xE1, 0xE2, 0xED, 0xFE


def jpeg_segments(data: Content) -> Iterator[tuple[int, bytes]]:
    """(marker, content) of each JPEG segment before the pixels; stops quietly where the file is damaged."""
    at = 2
    while at + 4 <= len(data):
        mark, marker, *length = data[at : at + 4]
        size = int.from_bytes(bytes(length))
        if mark != 0xFF or marker == 0xDA:
            return
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        yield marker, data[at + 4 : at + 2 + size]
        at += 2 + size


def segments_edit(jpeg: Content, segments: list[tuple[int, bytes]]) -> Edit:
    """Puts (marker, content) segments after the JPEG file's JFIF header; too large ones are left out."""
    at = 2
    if jpeg[2:4] == b"\xff\xe0":
        at += 2 + int.from_bytes(jpeg[4:6])
    added = b"".join(
        bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content
        for marker, content in segments
        if len(content) <= LARGEST_SEGMENT
    )
    return at, at, added


def jfif_of(resolution: tuple[float, float] | None) -> bytes:
    """The JFIF header with this resolution, pixels per millimetre, as whole dots per inch; or with none."""
    across, down = (min(65535, max(1, round(axis * 25.4))) for axis in resolution or (0, 0))
    return struct.pack(">5sHBHHBB", b"JFIF\0", 0x0102, 1 if resolution else 0, across, down, 0, 0)


def iptc_of(photoshop: bytes) -> bytes | None:
    """The IPTC records inside an APP13 segment's Photoshop resources, or None."""
    at = len(PHOTOSHOP_MARK)
    while photoshop[at : at + 4] == b"8BIM" and at + 12 <= len(photoshop):
        (kind,) = struct.unpack_from(">H", photoshop, at + 4)
        at += 6 + (photoshop[at + 6] + 2) // 2 * 2  # a counted name, padded to an even length
        size = int.from_bytes(photoshop[at : at + 4])
        if kind == IPTC_RESOURCE:
            return photoshop[at + 4 : at + 4 + size] or None
        at += 4 + (size + 1) // 2 * 2
    return None


def photoshop_of(iptc: bytes) -> bytes:
    """IPTC records as the content of an APP13 segment."""
    resource = struct.pack(">4sHHI", b"8BIM", IPTC_RESOURCE, 0, len(iptc))
    return PHOTOSHOP_MARK + resource + iptc + b"\0" * (len(iptc) % 2)


def png_chunks(data: Content) -> Iterator[tuple[bytes, bytes]]:
    """(name, content) of each PNG chunk, of pixels the name alone; stops quietly where the file is damaged."""
    at = 8
    while at + 12 <= len(data):
        head = data[at : at + 8]
        size, name = int.from_bytes(head[:4]), head[4:]
        yield name, b"" if name in (b"IDAT", b"fdAT") else data[at + 8 : at + 8 + min(size, LARGEST_CHUNK)]
        at += 12 + size


def is_animated_png(data: Content) -> bool:
    """Whether an animation is announced before the pixels."""
    for name, _ in png_chunks(data):
        if name in (b"acTL", b"IDAT"):
            return name == b"acTL"
    return False


def png_profile_size(content: bytes, most: int) -> int:
    """Bytes of the profile packed in an iCCP chunk; counting stops above `most`, and a damaged one has 0."""
    packed = content.partition(b"\0")[2][1:]
    try:
        return len(zlib.decompressobj().decompress(packed, most + 1))
    except zlib.error:
        return 0


def chunks_edit(png: Content, chunks: list[tuple[bytes, bytes]]) -> Edit:
    """Puts (name, content) chunks right after the PNG file's header."""
    at = 8 + 12 + int.from_bytes(png[8:12])
    added = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    return at, at, added


def chunk_removal(png: Content, name: bytes) -> Edit:
    """Takes the first chunk of this name out of the PNG file, if it has one before the pixels."""
    at = 8
    while at + 12 <= len(png) and png[at + 4 : at + 8] != b"IDAT":
        end = at + 12 + int.from_bytes(png[at : at + 4])
        if png[at + 4 : at + 8] == name:
            return at, end, b""
        at = end
    return at, at, b""


def png_text(name: bytes, content: bytes) -> tuple[str, str] | None:
    """(keyword, text) of a tEXt, zTXt or iTXt chunk; None for another chunk, or a damaged one."""
    keyword, _, rest = content.partition(b"\0")
    try:
        if name == b"tEXt":
            return keyword.decode("latin-1"), rest.decode("latin-1")
        if name == b"zTXt":
            return keyword.decode("latin-1"), _inflate(rest[1:]).decode("latin-1")
        if name == b"iTXt":
            text = rest[2:].split(b"\0", 2)[2]
            return keyword.decode("latin-1"), (_inflate(text) if rest[0] else text).decode()
    except (IndexError, UnicodeDecodeError, zlib.error):
        return None
    return None


def _inflate(packed: bytes) -> bytes:
    # Without a limit, a few kilobytes of text chunk could ask for gigabytes of memory.
    return zlib.decompressobj().decompress(packed, LARGEST_TEXT)


def png_text_chunk(keyword: str, text: str) -> tuple[bytes, bytes]:
    """A comment as a PNG chunk: tEXt where Latin-1 can say it, iTXt (UTF-8) otherwise."""
    key = keyword.encode("latin-1", "replace")[:79] or b"Comment"
    try:
        return b"tEXt", key + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", key + b"\0\0\0\0\0" + text.encode()
