"""What runs a model: OpenVINO on the base install, PyTorch for checkpoints in the making."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.images.padding import crop_to, pad_to_multiple
from undegrade.inference.export import HEADER, VERSION, file_sha256
from undegrade.inference.extras import needs_train
from undegrade.inference.foreign import SpandrelBackend
from undegrade.inference.models import PUBLISHED, why_not_run
from undegrade.inference.openvino import openvino

Pixels = NDArray[np.float32]
Precision = Literal["auto", "bf16", "f32"]


class Backend(Protocol):
    """A model that is ready to run."""

    @property
    def name(self) -> str:
        """The model's file and what runs it, for reports."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What the logits stand for, in order."""

    @property
    def multi_label(self) -> bool:
        """Whether several labels may be true at once: the logits are then of a sigmoid each, else of one softmax."""

    @property
    def size_multiple(self) -> int:
        """Sides that are multiples of it need no padding."""

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        """Restore a picture, or a part of one.

        Args:
            image: (3, H, W) RGB in [0, 1], any size.
            context: (num_context,), of the picture that the image is a part of: the mean of what is returned here for
                parts of it. None: the image is the picture.

        Returns:
            The restored image (3, H, W), not clipped, and its own context, whose last numbers are the logits.
        """


class OpenVinoBackend:
    """An exported model on OpenVINO's CPU device, compiled once for pictures of every size.

    Compiled for one fixed size a model is a fifth faster, but every further size costs a second at the start.

    Args:
        path: the .xml file; its .bin lies beside it.
        precision: of the arithmetic: "bf16" (twice as fast, a picture at about 70 dB of the float32 one; the input
            itself is never rounded), "f32", or "auto": bf16 where the CPU has it.
        threads: None leaves the number to OpenVINO, which takes every core.

    Raises:
        UndegradeError: a file is missing, damaged or not of undegrade, or the CPU cannot compute in bf16.
    """

    def __init__(self, path: Path, *, precision: Precision = "auto", threads: int | None = None) -> None:
        core = openvino_core()
        model, header = _read_model(core, path)
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and not has_bf16:
            raise UndegradeError("precision: bf16; this CPU has none, choose auto or f32")
        chosen = "bf16" if has_bf16 and precision != "f32" else "f32"
        config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": chosen}
        if threads is not None:
            config["INFERENCE_NUM_THREADS"] = threads
        self.name = f"{path.name}, OpenVINO {chosen}"
        self.labels = tuple(header["labels"])
        self.multi_label = bool(header["multi_label"])
        self.size_multiple = int(header["size_multiple"])
        self._nothing = np.zeros(int(header["num_context"]), np.float32)
        self._compiled = core.compile_model(model, "CPU", config)
        self._lock = Lock()  # a compiled model answers one call at a time

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        """See `Backend.run`; safe to call from several threads."""
        padded, height, width = pad_to_multiple(image, self.size_multiple)
        given = {
            "image": np.ascontiguousarray(padded[None]),
            "context": (self._nothing if context is None else context)[None],
            "trust": np.float32(context is not None),
        }
        with self._lock:
            answer = self._compiled(given)
        return crop_to(answer["picture"][0], height, width), answer["context_of_image"][0]


@cache
def openvino_core() -> Any:
    """The process's only `openvino.Core`.

    Each one swaps the thread's signal stack; dropping two in the order they came leaves a freed one behind, and the
    next signal (Ctrl-C) then crashes the process.
    """
    return openvino().Core()


def _read_model(core: Any, path: Path) -> tuple[Any, dict[str, Any]]:
    """The model and its header, both checked."""
    weights = path.with_suffix(".bin")
    for file in (path, weights):
        if not file.is_file():
            raise UndegradeError(f"{file}: no such file; a model is an .xml and a .bin file side by side")
    damaged = UndegradeError(f"{path}: the model is damaged, or its .bin is another model's; get both files anew")
    try:
        model = core.read_model(path)
    except Exception:  # OpenVINO's own errors are plain RuntimeErrors of many lines
        raise damaged from None
    if not model.has_rt_info([HEADER]):
        raise UndegradeError(f"{path}: has no undegrade header; expected a model written by undegrade export")
    header: dict[str, Any] = json.loads(model.get_rt_info([HEADER]).astype(str))
    if header.get("version") != VERSION:
        raise UndegradeError(
            f"{path}: header version {header.get('version')}; this undegrade reads {VERSION}; update undegrade, or "
            "export the checkpoint anew"
        )
    if file_sha256(weights) != header["weights_sha256"]:
        raise damaged
    return model, header


class TorchBackend:
    """A checkpoint on PyTorch, on the CPU, in float32.

    Args:
        path: the .safetensors file.

    Raises:
        UndegradeError: PyTorch is missing, or the checkpoint cannot be loaded, or not be run on RGB pictures.
    """

    def __init__(self, path: Path) -> None:
        with needs_train(f"{path}: a checkpoint"):
            from undegrade.networks.checkpoint import load_checkpoint

            self._model = load_checkpoint(path)
        if obstacle := why_not_run(self._model.network):
            raise UndegradeError(f"{path}: {obstacle}; choose another model")
        self.name = f"{path.name}, PyTorch f32"
        self.labels = self._model.labels
        self.multi_label = self._model.multi_label
        self.size_multiple = self._model.network.size_multiple
        self._lock = Lock()  # the exchange of means is no matter for two threads

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        """See `Backend.run`; safe to call from several threads."""
        import torch

        padded, height, width = pad_to_multiple(image, self.size_multiple)
        batch = torch.from_numpy(padded[None]).contiguous(memory_format=torch.channels_last)
        given = torch.zeros(self._model.num_context) if context is None else torch.from_numpy(context)
        with torch.inference_mode(), self._lock:
            picture, own = self._model.answer_part(batch, given[None], torch.tensor(float(context is not None)))
        return crop_to(picture[0].contiguous().numpy(), height, width), own[0].numpy()


def open_backend(path: Path, *, precision: Precision = "auto") -> Backend:
    """The backend for a model file: OpenVINO for .xml, PyTorch for .safetensors, spandrel for PUBLISHED (float32)."""
    if path.suffix.lower() == ".safetensors":
        return TorchBackend(path)
    if path.suffix.lower() in PUBLISHED:
        return SpandrelBackend(path)
    return OpenVinoBackend(path, precision=precision)
