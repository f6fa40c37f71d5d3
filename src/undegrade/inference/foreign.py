"""Published weights of networks that undegrade has not: run by the package spandrel, where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from undegrade.errors import UndegradeError
from undegrade.inference.backend import Backend, Pixels, naming_lack_of_memory
from undegrade.inference.extras import MissingExtra, needs_train


class SpandrelBackend(Backend):
    """Any network that spandrel knows and that repairs RGB pictures at their own size; it names nothing.

    The file is read here, not by spandrel, so that nothing pickled in it is executed.

    Args:
        path: a .pth, .pt or .ckpt file.

    Raises:
        UndegradeError: PyTorch or spandrel is missing, the file cannot be read, is of a network that undegrade has
            itself, or of one that spandrel does not know or that does other work.
    """

    labels: tuple[str, ...] = ()
    multi_label = False

    def __init__(self, path: Path) -> None:
        with needs_train(f"{path}: published weights"):
            from undegrade.networks.published import find_layout_of, read_published
        weights = read_published(path)
        if layout := find_layout_of(weights):
            raise UndegradeError(f"{path}: {layout.name}, which undegrade knows: run undegrade import {path} first")
        try:
            from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"{path}: weights of a network that undegrade does not know; spandrel may, and it needs the extra "
                f"spandrel ({error.name} is not installed): pip install 'undegrade[spandrel]'"
            ) from None
        try:
            found = ModelLoader("cpu").load_from_state_dict(weights.tensors)
        except UnsupportedModelError:
            raise UndegradeError(f"{path}: weights of a network that neither undegrade nor spandrel knows") from None
        except Exception as error:  # it fits the weights into what it takes them for, which can fail in many ways
            raise UndegradeError(f"{path}: spandrel cannot load it ({type(error).__name__}: {error})") from None
        kind = f"{path}: {found.architecture.name}, which spandrel knows,"
        if not isinstance(found, ImageModelDescriptor):
            raise UndegradeError(f"{kind} needs a mask beside the picture; choose another model")
        if found.scale != 1 or (found.input_channels, found.output_channels) != (3, 3):
            raise UndegradeError(
                f"{kind} enlarges {found.scale} times, from {found.input_channels} channels to {found.output_channels};"
                " undegrade repairs RGB pictures at their own size, choose another model"
            )
        self.name = f"{path.name}, {found.architecture.name} by spandrel f32"
        self.size_multiple = found.size_requirements.multiple_of
        self._found = found.eval()

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        """See `Backend.run`; clipped, as spandrel has it, which also pads; there is no context."""
        import torch

        with torch.inference_mode(), naming_lack_of_memory():
            picture = self._found(torch.from_numpy(np.ascontiguousarray(image[None])))
        return picture[0].numpy(), np.zeros(0, np.float32)
