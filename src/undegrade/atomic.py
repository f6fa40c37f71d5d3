"""Files that appear whole or not at all."""

from __future__ import annotations

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
