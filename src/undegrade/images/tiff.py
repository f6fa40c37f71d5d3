"""What a TIFF file says beside its pixels: its pages, its descriptive tags, and whether it is a camera's RAW file."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from undegrade.images import exif
from undegrade.images.content import Content, Edit
from undegrade.images.exif import Directory, Entry, Layout

IPTC, XMP, PHOTOSHOP, LAYERS = 0x83BB, 0x02BC, 0x8649, 0x935C
SUBFILE, PHOTOMETRIC, FURTHER, DNG = 0x00FE, 0x0106, 0x014A, 0xC612
# Tags of a TIFF file's first directory that describe the picture, not how its pixels lie in the file: document name,
# description, make, model, software, date, artist, host, ratings, Windows' title to subject, copyright, camera.
DESCRIPTIVE = (
    {0x010D, 0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749}
    | {0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F, 0x8298, 0xC614}
    | {exif.EXIF, exif.GPS}
)
PALETTE = 3  # PHOTOMETRIC of samples that are numbers of colours
REDUCED = 1  # the bit of SUBFILE that says: a smaller copy of another page
SENSOR = (32803, 34892)  # PHOTOMETRIC of what a sensor saw: behind a colour filter array, or linear
MOST_PAGES = 100_000  # followed in a chain of directories, which may be damaged and lead back


def _directories(data: Content, layout: Layout) -> Iterator[tuple[int, dict[int, tuple[int, int, int]]]]:
    """(position, entries) of each page's directory; ends where the chain is damaged."""
    at, seen = exif.first_directory(data, layout), set[int]()
    while at and at not in seen and len(seen) < MOST_PAGES:
        seen.add(at)
        try:
            places, link = exif.find_entries(data, at, layout)
            yield at, places
            (at,) = layout.numbers(data, "P", link)
        except (struct.error, ValueError):
            return


def _number(data: Content, place: tuple[int, int, int] | None, layout: Layout) -> int | None:
    """The first value of an entry of shorts or longs."""
    code = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(place[0]) if place else None
    if place is None or code is None:
        return None
    (value,) = struct.unpack(layout.order + code, data[place[2] : place[2] + struct.calcsize(code)])
    return int(value)


def full_pages(data: Content) -> list[int]:
    """The numbers of the pages that are no smaller copies of others; empty where the file is damaged."""
    try:
        layout = exif.layout_of(data)
        return [
            number
            for number, (_, places) in enumerate(_directories(data, layout))
            if not (_number(data, places.get(SUBFILE), layout) or 0) & REDUCED
        ]
    except (struct.error, ValueError):
        return []


def is_palette(data: Content) -> bool:
    """Whether the samples of the first page are numbers of colours."""
    try:
        layout = exif.layout_of(data)
        places, _ = exif.find_entries(data, exif.first_directory(data, layout), layout)
        return _number(data, places.get(PHOTOMETRIC), layout) == PALETTE
    except (struct.error, ValueError):
        return False


def is_raw(data: Content) -> bool:
    """Whether the file holds what a camera's sensor saw: a DNG, or a maker's own kind such as NEF, ARW or PEF."""
    try:
        layout = exif.layout_of(data)
        first = exif.first_directory(data, layout)
        places, _ = exif.find_entries(data, first, layout)
        if DNG in places:
            return True
        candidates = [places]
        if FURTHER in places:
            kind, count, place = places[FURTHER]
            size = exif.TYPE_BYTES[kind]
            code = {4: "I", 8: "Q"}.get(size, "H")
            starts = struct.unpack(f"{layout.order}{min(count, 8)}{code}", data[place : place + min(count, 8) * size])
            candidates += [exif.find_entries(data, start, layout)[0] for start in starts]
        return any(_number(data, entries.get(PHOTOMETRIC), layout) in SENSOR for entries in candidates)
    except (struct.error, ValueError, KeyError):
        return False


def describe(data: Content) -> tuple[bytes | None, Directory]:
    """A TIFF file's descriptive tags as an EXIF block (None when there are none), and its whole first directory."""
    directory = exif.read_block(data) or {}
    described = {tag: entry for tag, entry in directory.items() if tag in DESCRIPTIVE}
    if not described:
        return None, directory
    if exif.ORIENTATION in directory:
        described[exif.ORIENTATION] = directory[exif.ORIENTATION]
    layout = Layout(order=exif.layout_of(data).order)
    header = (b"II*\0" if layout.order == "<" else b"MM\0*") + layout.packed("P", 8)
    return header + exif.write_directory(described, 8, layout), directory


def insertion(encoded: Content, block: bytes | None, iptc: bytes | None, *, has_resolution: bool = True) -> list[Edit]:
    """Puts the descriptive tags of an EXIF block and IPTC records into the TIFF file's first directory.

    The directory is written anew at the end of the file; pixels and further pages stay where they are. Without a
    resolution, the numbers that the format requires are given no unit.
    """
    layout = exif.layout_of(encoded)
    first = exif.first_directory(encoded, layout)
    directory = exif.read_directory(encoded, first, layout)
    (following,) = layout.numbers(encoded, "P", exif.find_entries(encoded, first, layout)[1])
    described = exif.read_block(block) if block else None
    if block and described:
        if exif.layout_of(block).order != layout.order:
            described = exif.reorder(described)
        directory |= {tag: entry for tag, entry in described.items() if tag in DESCRIPTIVE}
    if iptc:
        directory[IPTC] = Entry(kind=7, count=len(iptc), value=iptc)
    if not has_resolution:
        directory[exif.UNIT] = Entry(kind=3, count=1, value=struct.pack(layout.order + "H", 1))
    end, padding = len(encoded), b"\0" * (len(encoded) % 2)
    start = layout.packed("P", end + len(padding))
    behind = padding + exif.write_directory(directory, end + len(padding), layout, following)
    return [(layout.inline, layout.inline + len(start), start), (end, end, behind)]
