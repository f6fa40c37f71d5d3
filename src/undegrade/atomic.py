"""Files that appear whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from undegrade.errors import UndegradeError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`: what is written there becomes `path` when the block ends, or is deleted.

    Raises:
        UndegradeError: the file cannot be written.
    """
    partial = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise UndegradeError(f"{path}: cannot be written ({error.strerror}); check the folder and the disk") from None
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`: it becomes `path` when the block ends, or is deleted with all that is in it.

    Raises:
        UndegradeError: `path` exists, its folder does not, or something cannot be written.
    """
    if path.exists() or path.is_symlink():
        raise UndegradeError(f"{path}: exists already and is never overwritten; choose another name, or delete it")
    partial = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        partial.mkdir()
        yield partial
        partial.rename(path)
    except OSError as error:
        raise UndegradeError(f"{path}: cannot be written ({error.strerror}); check the folder and the disk") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
