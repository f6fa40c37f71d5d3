"""PyAV, which is FFmpeg for Python: an extra, so it is imported when it is needed."""

from __future__ import annotations

import importlib
from typing import Any

from undegrade.inference.extras import MissingExtra

INSTALL = "pip install 'undegrade[video]', or in a checkout pip install -c constraints.txt -e '.[video]'"


def pyav() -> Any:
    """The module `av`.

    Raises:
        MissingExtra: it is not installed, or too old.
    """
    try:
        av: Any = importlib.import_module("av")
    except ImportError:
        raise MissingExtra(f"video needs the extra video (PyAV is not installed): {INSTALL}") from None
    if not hasattr(av.VideoStream, "set_display_matrix"):
        raise MissingExtra(f"video needs a newer PyAV than {av.__version__}: {INSTALL}")
    return av
