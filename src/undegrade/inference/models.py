"""The models that undegrade ships, and how a name becomes a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from undegrade.errors import UndegradeError
from undegrade.inference.header import file_sha256
from undegrade.inference.hub import PREFIX, file_in, folder_of

if TYPE_CHECKING:
    from undegrade.networks import RestorationNetwork

WEIGHTS = Path(__file__).parent.parent / "weights"
DEFAULT_MODEL = "default"
SUFFIXES = (".xml", ".onnx", ".safetensors")  # of model files: for OpenVINO, for ONNX Runtime, for PyTorch
PUBLISHED = (".pth", ".pt", ".ckpt")  # of other projects' weights, run by spandrel


@dataclass(frozen=True, kw_only=True)
class ShippedModel:
    """A model in the folder of weights: `stem`.xml and .bin to run, `stem`.safetensors to train on."""

    stem: str
    about: str  # one sentence

    @property
    def path(self) -> Path:
        """The exported model."""
        return WEIGHTS / f"{self.stem}.xml"

    @property
    def card(self) -> Path:
        """What it was made of, what it is good for and what not."""
        return WEIGHTS / f"{self.stem}.md"


MODELS: dict[str, ShippedModel] = {
    "default": ShippedModel(
        stem="default", about="GuidedUNet, plain convolutions that are told what to remove: ten degradations, quick."
    ),
    "quality": ShippedModel(
        stem="quality",
        about="GuidedCascade: `default`, and a wider U that goes over what it has made; better, in twice the time.",
    ),
    "universal-small": ShippedModel(
        stem="universal-small", about="NAFNet of width 32 on a folded picture, the first one; ten degradations."
    ),
}


def calibration_of(model: Path) -> Path:
    """Where the calibration of a model's diagnosis lies: `NAME.diagnosis.npz` beside it."""
    return model.with_name(f"{model.stem}.diagnosis.npz")


def identity_of(model: str | Path) -> list[str]:
    """What tells a model from every other: SHA-256 of its file and of the calibration beside it.

    The file of an exported model holds that of its weights.

    Raises:
        UndegradeError: there is no such model.
    """
    path = find_model(model)
    return [file_sha256(file) for file in (path, calibration_of(path)) if file.is_file()]


def taught_of(model: Path) -> Path:
    """Where the kinds lie that a model was taught: `NAME.taught.npz` beside it."""
    return model.with_name(f"{model.stem}.taught.npz")


def why_not_run(network: RestorationNetwork) -> str | None:
    """Why the network cannot repair RGB pictures at their own size, which is all that restoring knows; None if it can.

    A part of a message, such as "its network enlarges pictures 4 times, which undegrade restore does not know".
    """
    if network.in_channels != 3:
        kinds = {1: "gray pictures", 6: "pairs of two views"}
        taken = kinds.get(network.in_channels, f"pictures of {network.in_channels} channels")
        return f"its network takes {taken}, which undegrade restore does not know"
    if network.scale != 1:
        return f"its network enlarges pictures {network.scale} times, which undegrade restore does not know"
    return None


def find_model(model: str | Path) -> Path:
    """The file behind a shipped name, or behind the path of an .xml or .safetensors file, or of published weights.

    Also that in a folder in the layout of the Hugging Face Hub, and behind `hf:OWNER/NAME`, fetched from there.

    Raises:
        UndegradeError: no shipped model has this name, or the file does not exist.
    """
    path = Path(model)
    if str(model).startswith(PREFIX):
        return file_in(folder_of(str(model)))
    if str(model) not in MODELS and path.is_dir():
        return file_in(path)
    if str(model) in MODELS:
        path = MODELS[str(model)].path
        if not path.is_file():
            raise UndegradeError(f"{path}: the shipped model is not there; install undegrade anew, or give a file")
    elif path.suffix.lower() not in SUFFIXES + PUBLISHED:
        raise UndegradeError(
            f"unknown model {str(model)!r}; known are {', '.join(MODELS)}, or give a file ending in "
            f"{' or '.join(SUFFIXES)}, a folder, or hf:OWNER/NAME"
        )
    elif not path.is_file():
        raise UndegradeError(f"{path}: no such model file; check the name")
    return path
