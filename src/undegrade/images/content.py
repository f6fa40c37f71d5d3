"""The bytes of a file, read only where they are looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from undegrade.errors import UndegradeError


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
