"""undegrade restores any picture: it names what is wrong with it and repairs it, offline, on a plain CPU."""

from importlib import import_module
from typing import TYPE_CHECKING

from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.api import Degraded, Restorer, Result, degrade, diagnose, load, replay, restore
    from undegrade.batch import Record
    from undegrade.diagnosis import Diagnosis

__version__ = "0.1.0"

# Where each name lives; it is imported when first asked for, so that `import undegrade` costs nothing.
_HOMES = {
    "Degraded": "undegrade.api",
    "Diagnosis": "undegrade.diagnosis",
    "Record": "undegrade.batch",
    "Restorer": "undegrade.api",
    "Result": "undegrade.api",
    "degrade": "undegrade.api",
    "diagnose": "undegrade.api",
    "load": "undegrade.api",
    "replay": "undegrade.api",
    "restore": "undegrade.api",
}

__all__ = [
    "Degraded",
    "Diagnosis",
    "Record",
    "Restorer",
    "Result",
    "UndegradeError",
    "__version__",
    "degrade",
    "diagnose",
    "load",
    "replay",
    "restore",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'undegrade' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
