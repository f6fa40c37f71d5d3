"""The one door to libvips: imported on first use, set up once."""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any

from undegrade.errors import UndegradeError


def vips() -> Any:
    """The `pyvips` module, imported here so that `import undegrade` stays light.

    Raises:
        UndegradeError: this process was forked from one that had used libvips, whose threads do not survive a fork:
            the first operation would wait for ever.
    """
    module, owner = _load()
    if owner != os.getpid():
        raise UndegradeError(
            "a forked worker process cannot use libvips after its parent has: start workers with the multiprocessing "
            "context 'forkserver' or 'spawn'"
        )
    return module


@cache
def _load() -> tuple[Any, int]:
    import pyvips

    # libvips warns of what it can do without; the notes of this room say what is lost.
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    # The cache of results would keep big pictures alive. (A file that changes on disk is safe: only bytes are decoded.)
    pyvips.cache_set_max(0)
    # Of the loaders in the library, those that were never tested against hostile files stay shut.
    pyvips.block_untrusted_set(True)
    return pyvips, os.getpid()
