"""Samples that are made piece by piece, on their way into libvips, which wants to fetch them itself."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Full, Queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.images.vips import vips

AHEAD = 2  # pieces that wait for libvips at most
PATIENCE = 0.1  # seconds after which is looked whether libvips is still there
PIECE = 1 << 20  # bytes that are packed at a time
FORMATS = {np.uint8: "uchar", np.uint16: "ushort", np.float32: "float"}  # libvips' names of the sample formats

Samples = NDArray[np.generic]


def pass_on(blocks: Iterator[Samples], height: int, save: Callable[[Any], None]) -> None:
    """Have `save` called, in a thread of its own, with a pyvips image of the blocks while they are made.

    libvips reads from a stream only what looks like a picture file. So the samples, whatever they are, go as the bytes
    of a gray PNG picture that is not compressed, and are put together again behind its loader.

    Args:
        blocks: (h, W, C) uint8, uint16 or float32, from top to bottom; at least one.
        height: of all together.
        save: takes the image, which can be gone through once, from top to bottom.

    Raises:
        Exception: what `blocks` raises, or what `save` raises.
    """
    first = next(blocks)
    num_channels = first.shape[2]
    pieces: Queue[bytes | None] = Queue(AHEAD)
    with ThreadPoolExecutor(1) as pool:
        source = _source(pieces)  # lives as long as it is read from: libvips does not keep it alive
        saving = pool.submit(lambda: save(_image(source, num_channels, first.dtype)))
        try:
            for piece in _packed(first, blocks, height):
                if not _put(pieces, piece, saving):
                    break
        finally:
            _put(pieces, None, saving)
        saving.result()


def _put(pieces: Queue[bytes | None], piece: bytes | None, saving: Future[None]) -> bool:
    """Whether the piece was taken; it is not when saving has ended."""
    while not saving.done():
        try:
            pieces.put(piece, timeout=PATIENCE)
        except Full:
            continue
        return True
    return False


def _packed(first: Samples, blocks: Iterator[Samples], height: int) -> Iterator[bytes]:
    """A PNG file in pieces: each sample's bytes as gray pixels, each row unfiltered, deflated by storing."""
    row_bytes = first[0].nbytes
    yield b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", row_bytes, height, 8, 0, 0, 0, 0))
    deflate = zlib.compressobj(level=0)
    step = max(1, PIECE // row_bytes)
    block: Samples | None = first
    while block is not None:
        rows = np.ascontiguousarray(block).view(np.uint8).reshape(len(block), -1)
        for top in range(0, len(rows), step):
            filtered = np.zeros((min(step, len(rows) - top), row_bytes + 1), np.uint8)
            filtered[:, 1:] = rows[top : top + step]
            yield _chunk(b"IDAT", deflate.compress(filtered.data))
        block = next(blocks, None)
    yield _chunk(b"IDAT", deflate.flush()) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    head = struct.pack(">I", len(content)) + name
    return b"".join((head, content, struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))))


def _source(pieces: Queue[bytes | None]) -> Any:
    """The pyvips source that takes the pieces."""
    rest: memoryview | None = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal rest
        if rest is not None and not rest:
            piece = pieces.get()
            rest = None if piece is None else memoryview(piece)
        if rest is None:  # the end, however often it is asked for more
            return b""
        part, rest = rest[:size], rest[size:]
        return bytes(part)

    source = vips().SourceCustom()
    source.on_read(read)
    return source


def _image(source: Any, num_channels: int, dtype: np.dtype[Any]) -> Any:
    """The samples in the gray picture."""
    image = vips().Image.pngload_source(source, access="sequential")
    return image.bandfold(factor=dtype.itemsize * num_channels).copy(format=FORMATS[dtype.type], bands=num_channels)
