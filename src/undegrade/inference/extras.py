"""What the base install leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from undegrade.errors import UndegradeError

TRAIN_MODULES = {"accelerate", "safetensors", "skimage", "tensorboard", "torch"}  # brought by undegrade[train]


@contextmanager
def needs_train(what: str) -> Iterator[None]:
    """Around imports and calls that need PyTorch: where it is missing, say in one line how to get it.

    Args:
        what: the subject of that line, such as "undegrade.degrade".

    Raises:
        UndegradeError: a module of the extra `train` is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TRAIN_MODULES:
            raise
        raise UndegradeError(f"{what} needs `pip install 'undegrade[train]'` ({error.name} is not installed)") from None
