"""EXIF blocks, and the directories of TIFF files, which are built the same way.

libvips would read EXIF through libexif, which loses ratings, lenses and every letter outside ASCII, and it reads none
from TIFF. So the block travels as it is: only the orientation, the size and the embedded preview are changed in place.
A block is a header (II or MM, 42, where the first directory stands) and directories of 12-byte entries: tag, type,
count, and the value or, above 4 bytes, where it stands (TIFF 6.0, section 2; EXIF 2.32, section 4.6). BigTIFF files say
43 and count in 8 bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from undegrade.images.content import Content

ORIENTATION = 0x0112
FULL_WIDTH, FULL_HEIGHT = 0x0100, 0x0101
ACROSS, DOWN, UNIT = 0x011A, 0x011B, 0x0128  # the resolution; its unit is 2, inch, or 3, centimetre
PREVIEW_AT, PREVIEW_SIZE = 0x0201, 0x0202
EXIF, GPS, INTEROP = 0x8769, 0x8825, 0xA005  # the tags that point to a further directory
WIDTH, HEIGHT = 0xA002, 0xA003
USER_COMMENT = 0x9286

# Bytes of one value by TIFF type: byte, ascii, short, long, rational, signed byte, undefined, ... float, double, IFD,
# and BigTIFF's long, signed long and IFD of 8 bytes.
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
MILLIMETRES = {2: 25.4, 3: 10.0}  # in an EXIF resolution unit
LARGEST_DIRECTORY = 64 << 20  # bytes of all values of one directory; a damaged one may name the same bytes many times


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One tag: its TIFF type, how many values, and their bytes in the block's order, or a further directory."""

    kind: int
    count: int
    value: bytes
    directory: Directory | None = None


Directory = dict[int, Entry]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a block's numbers are written: `order` is "<" or ">" as in `struct`; `big`, as in BigTIFF."""

    order: str
    big: bool = False

    @property
    def inline(self) -> int:
        """The size of a position, and of the largest value inside an entry, in bytes."""
        return 8 if self.big else 4

    @property
    def entry(self) -> int:
        """The size of an entry, in bytes."""
        return 20 if self.big else 12

    def numbers(self, block: Content, kinds: str, at: int) -> tuple[int, ...]:
        """The numbers at `at`: "H" 2 bytes, "P" a position or a count, 4 or 8 bytes."""
        code = self.order + kinds.replace("P", "Q" if self.big else "I")
        return struct.unpack(code, block[at : at + struct.calcsize(code)])

    def packed(self, kinds: str, *values: int) -> bytes:
        """The numbers as `numbers` reads them."""
        return struct.pack(self.order + kinds.replace("P", "Q" if self.big else "I"), *values)


def layout_of(block: Content) -> Layout:
    """How the block is written.

    Raises:
        ValueError: it is no EXIF block or TIFF file.
    """
    mark = block[:4]
    order = {b"II": "<", b"MM": ">"}.get(mark[:2])
    if order is None or mark[2:] not in (b"*\0", b"\0*", b"+\0", b"\0+"):
        raise ValueError("no EXIF block")
    return Layout(order=order, big=b"+" in mark)


def first_directory(block: Content, layout: Layout) -> int:
    """Where the first directory stands."""
    return layout.numbers(block, "P", layout.inline)[0]


def find_entries(block: Content, at: int, layout: Layout) -> tuple[dict[int, tuple[int, int, int]], int]:
    """({tag: (type, count, where the value stands)}, where the link to the next stands) of the directory at `at`."""
    (num_entries,) = layout.numbers(block, "P" if layout.big else "H", at)
    start = at + (8 if layout.big else 2)
    link = start + layout.entry * num_entries
    if link > len(block):
        raise ValueError("a directory reaches beyond the end")
    table, places, total = block[start:link], {}, 0
    for row in range(0, len(table), layout.entry):
        tag, kind, count = layout.numbers(table[row : row + layout.entry], "HHP", 0)
        size = TYPE_BYTES.get(kind, 0) * count
        value_at = row + layout.entry - layout.inline
        place = start + value_at if size <= layout.inline else layout.numbers(table, "P", value_at)[0]
        # Entries of an unknown type, or that point out of the block, are skipped as every reader does.
        if size and place + size <= len(block):
            places[tag] = (kind, count, place)
            total += size
    if total > LARGEST_DIRECTORY:
        raise ValueError("a directory's values are too large")
    return places, link


def read_directory(block: Content, at: int, layout: Layout, depth: int = 0) -> Directory:
    """The tags of the directory at `at` and those below."""
    directory = {}
    for tag, (kind, count, place) in find_entries(block, at, layout)[0].items():
        value = block[place : place + TYPE_BYTES[kind] * count]
        below = None
        if tag in (EXIF, GPS, INTEROP):
            if TYPE_BYTES[kind] not in (4, 8) or kind in (5, 10) or depth > 1:
                continue
            code = layout.order + ("Q" if TYPE_BYTES[kind] == 8 else "I")
            below = read_directory(block, struct.unpack(code, value[: TYPE_BYTES[kind]])[0], layout, depth + 1)
        directory[tag] = Entry(kind=kind, count=count, value=bytes(value), directory=below)
    return directory


def write_directory(directory: Directory, at: int, layout: Layout, following: int = 0) -> bytes:
    """The directory's bytes when it stands at `at`, its values and further directories right behind it.

    Args:
        directory: what to write.
        at: its position.
        layout: of the block.
        following: the position of the next directory, 0 for none.
    """
    head = layout.packed("P" if layout.big else "H", len(directory))
    behind = b""
    free = at + len(head) + layout.entry * len(directory) + layout.inline
    for tag, entry in sorted(directory.items()):
        kind = entry.kind
        if entry.directory is not None:
            kind = 18 if layout.big else 4
            value = layout.packed("P", free + len(behind))
            behind += write_directory(entry.directory, free + len(behind), layout)
        elif len(entry.value) <= layout.inline:
            value = entry.value.ljust(layout.inline, b"\0")
        else:
            value = layout.packed("P", free + len(behind))
            behind += entry.value + b"\0" * (len(entry.value) % 2)
        head += layout.packed("HHP", tag, kind, entry.count) + value
    return head + layout.packed("P", following) + behind


def reorder(directory: Directory) -> Directory:
    """The directory with its values in the other byte order."""
    swapped = {}
    for tag, entry in directory.items():
        width = 4 if entry.kind in (5, 10) else TYPE_BYTES[entry.kind]  # a rational is two longs
        value = np.frombuffer(entry.value, f"u{width}").byteswap().tobytes()
        below = None if entry.directory is None else reorder(entry.directory)
        swapped[tag] = Entry(kind=entry.kind, count=entry.count, value=value, directory=below)
    return swapped


def read_block(block: Content) -> Directory | None:
    """The tags of an EXIF block's (or a TIFF file's) first directory and those below; None when it is damaged."""
    try:
        layout = layout_of(block)
        return read_directory(block, first_directory(block, layout), layout)
    except (struct.error, ValueError):
        return None


def resolution_of(block: bytes) -> tuple[float, float] | None:
    """Horizontal and vertical resolution in pixels per millimetre, or None where the block names none."""
    directory = read_block(block) or {}
    if not {ACROSS, DOWN} <= directory.keys() or directory[ACROSS].kind != 5 or directory[DOWN].kind != 5:
        return None
    order = layout_of(block).order
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
        layout = layout_of(block)
        places, link = find_entries(block, first_directory(block, layout), layout)
        sizes = {ORIENTATION: 1, FULL_WIDTH: width, FULL_HEIGHT: height}
        for tag, value in sizes.items():
            _put(changed, places.get(tag), value, layout)
        if EXIF in places:
            below, _ = find_entries(block, layout.numbers(block, "P", places[EXIF][2])[0], layout)
            _put(changed, below.get(WIDTH), width, layout)
            _put(changed, below.get(HEIGHT), height, layout)
        (second,) = layout.numbers(block, "P", link)
        if second:
            changed[link : link + layout.inline] = layout.packed("P", 0)
            changed = _without_preview(changed, second, layout)
    except (struct.error, ValueError):
        return None
    return bytes(changed)


def _put(block: bytearray, place: tuple[int, int, int] | None, value: int, layout: Layout) -> None:
    if place is not None and place[0] in (3, 4):
        struct.pack_into(layout.order + ("H" if place[0] == 3 else "I"), block, place[2], value)


def _without_preview(block: bytearray, at: int, layout: Layout) -> bytearray:
    """The block with its second directory's preview blanked, or cut off where it stands at the end."""
    places, _ = find_entries(bytes(block), at, layout)
    if PREVIEW_AT not in places or PREVIEW_SIZE not in places:
        return block
    start, size = (layout.numbers(bytes(block), "P", places[tag][2])[0] for tag in (PREVIEW_AT, PREVIEW_SIZE))
    if start < at:  # not where any camera puts it: rather a damaged pointer than a preview
        return block
    if start + size >= len(block):
        return block[:start]
    block[start : start + size] = bytes(size)
    return block


def placeholder(size: int) -> bytes:
    """An EXIF block with `size` bytes of user comment, to hold the place of a block of that size."""
    comment = b"ASCII\0\0\0" + b"_" * max(size, 64)
    below = {USER_COMMENT: Entry(kind=7, count=len(comment), value=comment)}
    first = {EXIF: Entry(kind=4, count=1, value=b"", directory=below)}
    return b"II*\0" + struct.pack("<I", 8) + write_directory(first, 8, Layout(order="<"))
