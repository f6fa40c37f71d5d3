"""The one door to OpenVINO: imported on first use, and kept from reporting that."""

from __future__ import annotations

import sys
from typing import Any

TELEMETRY = "openvino_telemetry"


def openvino() -> Any:
    """The `openvino` module, without its telemetry.

    Importing it sends a message to Google Analytics and writes a number that identifies the user into the home folder,
    unless the user declined. It comes with a stand-in for where its package for that is missing; so while it is
    imported here, that package is.
    """
    if "openvino" not in sys.modules:
        before = sys.modules.get(TELEMETRY)
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
        try:
            import openvino  # noqa: F401
        finally:
            if before is None:
                del sys.modules[TELEMETRY]
            else:
                sys.modules[TELEMETRY] = before
    return sys.modules["openvino"]
