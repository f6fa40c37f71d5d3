"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from undegrade.errors import UndegradeError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, still empty: it becomes `path` when the block ends, or is deleted.

    Until then nobody but its owner may read it. A link at `path` is replaced, never followed.

    Raises:
        UndegradeError: the file cannot be written.
    """
    try:
        with replaced(path) as partial:
            yield partial
    except OSError as error:
        raise UndegradeError(f"{path}: cannot be written ({error.strerror}); check the folder and the disk") from None


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """`written_whole` whose errors are the system's own."""
    partial = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        # O_EXCL: neither another's file nor a link of this name is ever written to.
        made = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        usual_mode = stat.S_IMODE(os.fstat(made).st_mode)
        os.close(made)
        partial.chmod(0o600)
        yield partial
        partial.chmod(usual_mode)
        partial.replace(path)
    finally:
        with suppress(OSError):  # the folder may be gone, or closed to us by now
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
