"""The bytes of a file, read only where they are looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from undegrade.atomic import replaced
from undegrade.errors import UndegradeError

PIECE = 1 << 20  # bytes copied at a time


class FileContent:
    """The bytes of an open file as a sequence that is sliced; a slice beyond the end is shorter, as with bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = os.fstat(file.fileno()).st_size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self.size)
        self.file.seek(start)
        return self.file.read(max(0, stop - start))


Content = bytes | FileContent
Edit = tuple[int, int, bytes]  # what stands from there to there, and what is to stand there instead


@contextmanager
def open_content(path: Path) -> Iterator[FileContent]:
    """The content of a regular file that is not empty, open as long as the block lasts.

    Raises:
        UndegradeError: there is no such file, it is empty, none that can be read from end to end, or the disk fails.
    """
    try:
        # Without O_NONBLOCK, a named pipe would be waited for.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UndegradeError(f"{path}: a pipe or a device; expected a picture file")
            content = FileContent(file)
            if not content.size:
                raise UndegradeError(f"{path}: the file is empty (0 bytes); copy it again from its source")
            yield content
    except FileNotFoundError:
        raise UndegradeError(f"{path}: no such file; check the name") from None
    except IsADirectoryError:
        raise UndegradeError(f"{path}: a folder; expected a picture file") from None
    except PermissionError:
        raise UndegradeError(f"{path}: no permission to read it; change its access rights, or copy it") from None
    except OSError as error:
        raise UndegradeError(f"{path}: cannot be read ({error.strerror}); check the disk") from None


def spliced(content: Content, edits: Iterable[Edit]) -> Iterator[bytes]:
    """The content with other bytes where the edits say, in pieces."""
    at = 0
    for start, stop, new in [*sorted(edits), (len(content), len(content), b"")]:
        for piece in range(at, start, PIECE):
            yield content[piece : min(start, piece + PIECE)]
        yield new
        at = stop


def edit(path: Path, edits: Sequence[Edit]) -> None:
    """Makes the edits in a file of our own; where nothing moves, without copying it."""
    size = path.stat().st_size
    if all(stop - start == len(new) or stop == size for start, stop, new in edits):
        with path.open("r+b") as file:
            for start, _, new in edits:
                file.seek(start)
                file.write(new)
        return
    with open_content(path) as content, replaced(path) as partial, partial.open("wb") as file:
        file.writelines(spliced(content, edits))
