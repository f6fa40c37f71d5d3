"""The models that undegrade ships, and how a name becomes a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from undegrade.errors import UndegradeError

WEIGHTS = Path(__file__).parent.parent / "weights"
DEFAULT_MODEL = "universal-small"
SUFFIXES = (".xml", ".safetensors")  # of model files: exported for OpenVINO, or a checkpoint for PyTorch


@dataclass(frozen=True, kw_only=True)
class ShippedModel:
    """A model in the folder of weights: `stem`.xml and .bin to run, `stem`.safetensors to train on."""

    stem: str
    about: str  # one sentence

    @property
    def path(self) -> Path:
        """The exported model."""
        return WEIGHTS / f"{self.stem}.xml"


MODELS: dict[str, ShippedModel] = {
    "universal-small": ShippedModel(
        stem="universal-small", about="NAFNet of width 32 on a folded picture; names and removes ten degradations."
    ),
}


def find_model(model: str | Path) -> Path:
    """The file behind a shipped name, or behind the path of an .xml or .safetensors file.

    Raises:
        UndegradeError: no shipped model has this name, or the file does not exist.
    """
    path = Path(model)
    if str(model) in MODELS:
        path = MODELS[str(model)].path
        if not path.is_file():
            raise UndegradeError(f"{path}: the shipped model is not there; install undegrade anew, or give a file")
    elif path.suffix.lower() not in SUFFIXES:
        raise UndegradeError(
            f"unknown model {str(model)!r}; known are {', '.join(MODELS)}, or give a file ending in "
            f"{' or '.join(SUFFIXES)}"
        )
    elif not path.is_file():
        raise UndegradeError(f"{path}: no such model file; check the name")
    return path
