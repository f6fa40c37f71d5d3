"""What an exported model says of itself."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undegrade.networks import UniversalRestorer

VERSION = 2  # of the layout of the header
HEADER = "undegrade"  # key of the header in the model's own metadata
INPUTS, OUTPUTS = ("image", "context", "trust"), ("picture", "context_of_image")


def describe(model: UniversalRestorer, header: dict[str, Any]) -> dict[str, Any]:
    """The header of the exported `model`, whose checkpoint has this header."""
    return {
        "version": VERSION,
        "network": header["network"],
        "labels": list(model.labels),
        "finished": list(model.finished),
        "multi_label": model.multi_label,
        "size_multiple": model.network.size_multiple,
        "num_context": model.num_context,
        "checkpoint_sha256": header["sha256"],
    }


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
