"""EXIF blocks, and the tags of TIFF files, which are built the same way.

libvips would read EXIF through libexif, which loses ratings, lenses and every letter outside ASCII, and it reads none
from TIFF. So the block travels as it is: only the orientation, the size and the embedded preview are changed in place.
A block is a header (II or MM, 42, where the first directory stands) and directories of 12-byte entries: tag, type,
count, and the value or, above 4 bytes, where it stands (TIFF 6.0, section 2; EXIF 2.32, section 4.6).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

ORIENTATION = 0x0112
ACROSS, DOWN, UNIT = 0x011A, 0x011B, 0x0128  # the resolution; its unit is 2, inch, or 3, centimetre
PREVIEW_AT, PREVIEW_SIZE = 0x0201, 0x0202
EXIF, GPS, INTEROP = 0x8769, 0x8825, 0xA005  # the tags that point to a further directory
WIDTH, HEIGHT = 0xA002, 0xA003
IPTC, XMP, PHOTOSHOP, LAYERS = 0x83BB, 0x02BC, 0x8649, 0x935C
USER_COMMENT = 0x9286

# Bytes of one value by TIFF type: byte, ascii, short, long, rational, signed byte, undefined, ... float, double, IFD.
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
MILLIMETRES = {2: 25.4, 3: 10.0}  # in an EXIF resolution unit
# Tags of a TIFF file's first directory that describe the picture, not how its pixels lie in the file: document name,
# description, make, model, software, date, artist, host, ratings, Windows' title to subject, copyright, camera.
DESCRIPTIVE = (
    {0x010D, 0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749}
    | {0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F, 0x8298, 0xC614}
    | {EXIF, GPS}
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One tag: its TIFF type, how many values, and their bytes in the block's order, or a further directory."""

    kind: int
    count: int
    value: bytes
    directory: Directory | None = None


Directory = dict[int, Entry]


def _order(block: bytes) -> str:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(block[:4]))
    if order is None:
        raise ValueError("no EXIF block")
    return order


def _places(block: bytes | bytearray, at: int, order: str) -> tuple[dict[int, tuple[int, int, int]], int]:
    """({tag: (type, count, where the value stands)}, where the link to the next stands) of the directory at `at`."""
    (num_entries,) = struct.unpack_from(order + "H", block, at)
    places = {}
    for start in range(at + 2, at + 2 + 12 * num_entries, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", block, start)
        size = TYPE_BYTES.get(kind, 0) * count
        place = start + 8 if size <= 4 else struct.unpack_from(order + "I", block, start + 8)[0]
        # Entries of an unknown type, or that point out of the block, are skipped as every reader does.
        if size and place + size <= len(block):
            places[tag] = (kind, count, place)
    return places, at + 2 + 12 * num_entries


def _read(block: bytes, at: int, order: str, depth: int = 0) -> Directory:
    directory = {}
    for tag, (kind, count, place) in _places(block, at, order)[0].items():
        value = bytes(block[place : place + TYPE_BYTES[kind] * count])
        below = None
        if tag in (EXIF, GPS, INTEROP):
            if kind not in (4, 13) or depth > 1:
                continue
            below = _read(block, struct.unpack(order + "I", value[:4])[0], order, depth + 1)
        directory[tag] = Entry(kind=kind, count=count, value=value, directory=below)
    return directory


def _write(directory: Directory, at: int, order: str) -> bytes:
    """The directory's bytes when it stands at `at`, its values and further directories right behind it."""
    head = struct.pack(order + "H", len(directory))
    behind = b""
    free = at + 2 + 12 * len(directory) + 4
    for tag, entry in sorted(directory.items()):
        if entry.directory is not None:
            value = struct.pack(order + "I", free + len(behind))
            behind += _write(entry.directory, free + len(behind), order)
        elif len(entry.value) <= 4:
            value = entry.value.ljust(4, b"\0")
        else:
            value = struct.pack(order + "I", free + len(behind))
            behind += entry.value + b"\0" * (len(entry.value) % 2)
        head += struct.pack(order + "HHI", tag, entry.kind, entry.count) + value
    return head + struct.pack(order + "I", 0) + behind


def _reorder(directory: Directory) -> Directory:
    """The directory with its values in the other byte order."""
    swapped = {}
    for tag, entry in directory.items():
        width = 4 if entry.kind in (5, 10) else TYPE_BYTES[entry.kind]  # a rational is two longs
        value = np.frombuffer(entry.value, f"u{width}").byteswap().tobytes()
        below = None if entry.directory is None else _reorder(entry.directory)
        swapped[tag] = Entry(kind=entry.kind, count=entry.count, value=value, directory=below)
    return swapped


def read_block(block: bytes) -> Directory | None:
    """The tags of an EXIF block's (or a TIFF file's) first directory and those below; None when it is damaged."""
    try:
        order = _order(block)
        return _read(block, struct.unpack_from(order + "I", block, 4)[0], order)
    except (struct.error, ValueError):
        return None


def resolution_of(block: bytes) -> tuple[float, float] | None:
    """Horizontal and vertical resolution in pixels per millimetre, or None where the block names none."""
    directory = read_block(block) or {}
    if not {ACROSS, DOWN} <= directory.keys() or directory[ACROSS].kind != 5 or directory[DOWN].kind != 5:
        return None
    order = _order(block)
    across, across_over, down, down_over = struct.unpack(
        order + "4I", directory[ACROSS].value[:8] + directory[DOWN].value[:8]
    )
    unit = struct.unpack(order + "H", directory[UNIT].value[:2])[0] if UNIT in directory else 2
    if unit not in MILLIMETRES or not (across and across_over and down and down_over):
        return None
    return across / across_over / MILLIMETRES[unit], down / down_over / MILLIMETRES[unit]


def upright(block: bytes, width: int, height: int) -> bytes | None:
    """The EXIF block of an upright picture: Orientation 1, this size in pixels, no embedded preview.

    The preview would show the picture as it was. All else stays where it stands, because maker notes hold positions.

    Returns:
        None when the block is damaged.
    """
    changed = bytearray(block)
    try:
        order = _order(block)
        (first,) = struct.unpack_from(order + "I", block, 4)
        places, link = _places(block, first, order)
        _put(changed, places.get(ORIENTATION), 1, order)
        if EXIF in places:
            below, _ = _places(block, struct.unpack_from(order + "I", block, places[EXIF][2])[0], order)
            _put(changed, below.get(WIDTH), width, order)
            _put(changed, below.get(HEIGHT), height, order)
        (second,) = struct.unpack_from(order + "I", block, link)
        if second:
            struct.pack_into(order + "I", changed, link, 0)
            changed = _without_preview(changed, second, order)
    except (struct.error, ValueError):
        return None
    return bytes(changed)


def _put(block: bytearray, place: tuple[int, int, int] | None, value: int, order: str) -> None:
    if place is not None and place[0] in (3, 4):
        struct.pack_into(order + ("H" if place[0] == 3 else "I"), block, place[2], value)


def _without_preview(block: bytearray, at: int, order: str) -> bytearray:
    """The block with its second directory's preview blanked, or cut off where it stands at the end."""
    places, _ = _places(block, at, order)
    if PREVIEW_AT not in places or PREVIEW_SIZE not in places:
        return block
    start, size = (struct.unpack_from(order + "I", block, places[tag][2])[0] for tag in (PREVIEW_AT, PREVIEW_SIZE))
    if start < at:  # not where any camera puts it: rather a damaged pointer than a preview
        return block
    if start + size >= len(block):
        return block[:start]
    block[start : start + size] = bytes(size)
    return block


def from_tiff(tiff: bytes) -> tuple[bytes | None, Directory]:
    """A TIFF file's descriptive tags as an EXIF block (None when there are none), and its whole first directory."""
    directory = read_block(tiff) or {}
    described = {tag: entry for tag, entry in directory.items() if tag in DESCRIPTIVE}
    if not described:
        return None, directory
    order = _order(tiff)
    if ORIENTATION in directory:
        described[ORIENTATION] = directory[ORIENTATION]
    header = bytes(tiff[:4]) + struct.pack(order + "I", 8)
    return header + _write(described, 8, order), directory


def into_tiff(tiff: bytes, block: bytes | None, iptc: bytes | None) -> bytes:
    """The TIFF file with the descriptive tags of an EXIF block and IPTC records in its first directory.

    The directory is written anew at the end of the file; pixels stay where they are.
    """
    order, directory = _order(tiff), read_block(tiff) or {}
    described = read_block(block) if block else None
    if block and described:
        if _order(block) != order:
            described = _reorder(described)
        directory |= {tag: entry for tag, entry in described.items() if tag in DESCRIPTIVE}
    if iptc:
        directory[IPTC] = Entry(kind=7, count=len(iptc), value=iptc)
    end = tiff + b"\0" * (len(tiff) % 2)
    return end[:4] + struct.pack(order + "I", len(end)) + end[8:] + _write(directory, len(end), order)


def placeholder(size: int) -> bytes:
    """An EXIF block with `size` bytes of user comment, to hold the place of a block of that size."""
    comment = b"ASCII\0\0\0" + b"_" * max(size, 64)
    below = {USER_COMMENT: Entry(kind=7, count=len(comment), value=comment)}
    first = {EXIF: Entry(kind=4, count=1, value=b"", directory=below)}
    return b"II*\0" + struct.pack("<I", 8) + _write(first, 8, "<")
