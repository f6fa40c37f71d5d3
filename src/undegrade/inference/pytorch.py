"""Checkpoints on PyTorch: on the CPU, on NVIDIA's GPUs (CUDA) and Apple's (MPS)."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from undegrade.errors import UndegradeError
from undegrade.images.padding import crop_to, pad_to_multiple
from undegrade.inference.backend import Backend, Pixels, Precision, naming_lack_of_memory
from undegrade.inference.extras import needs_train
from undegrade.inference.models import why_not_run

if TYPE_CHECKING:
    import torch


class TorchBackend(Backend):
    """A checkpoint, in channels-last memory order.

    Args:
        path: the .safetensors file.
        device: "cpu", "cuda" or "mps".
        precision: "f32", or "bf16" or "fp16" by autocast; "auto" is f32 on the CPU, bf16 on GPUs that have it, else
            fp16.
        compile: through `torch.compile`, which pays for long jobs on a GPU.

    Raises:
        UndegradeError: PyTorch or the device is missing, or the checkpoint cannot be loaded, or not be run on RGB
            pictures.
    """

    def __init__(
        self, path: Path, *, device: str = "cpu", precision: Precision = "auto", compile: bool = False
    ) -> None:
        with needs_train(f"{path}: a checkpoint"):
            import torch

            from undegrade.networks import TextPromptIR
            from undegrade.networks.checkpoint import load_checkpoint
        if device != "cpu" and device != find_gpu():
            raise UndegradeError(f"device: {device}; PyTorch finds none here, choose auto or cpu")
        self._model = load_checkpoint(path).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if obstacle := why_not_run(self._model.network):
            raise UndegradeError(f"{path}: {obstacle}; choose another model")
        if precision == "auto":
            precision = "f32" if device == "cpu" else "bf16" if _has_bf16(device) else "fp16"
        self._path, self._device, self.precision = path, device, precision
        self.name = f"{path.name}, PyTorch {precision}" + ("" if device == "cpu" else f" on {device}")
        self.labels, self.finished = self._model.labels, self._model.finished
        self.multi_label = self._model.multi_label
        self.size_multiple = self._model.network.size_multiple
        self._answer = torch.compile(self._model.answer_part, dynamic=True) if compile else self._model.answer_part
        network = self._model.network
        self.sentence_size = network.config.embedding if isinstance(network, TextPromptIR) else 0
        self._guide: torch.Tensor | None = None
        self._names = True  # whether it says what it sees, which parts of a picture need not
        self._lock = Lock()  # the exchange of means is no matter for two threads

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        """See `Backend.run`; safe to call from several threads."""
        import torch

        padded, height, width = pad_to_multiple(image, self.size_multiple)
        kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision, torch.float32)
        with self._lock, naming_lack_of_memory(), torch.inference_mode():
            batch = torch.from_numpy(padded[None]).to(self._device, memory_format=torch.channels_last)
            given = torch.zeros(self._model.num_context) if context is None else torch.from_numpy(context)
            known = given[None].to(self._device)
            trust = torch.tensor(float(context is not None), device=self._device)
            with torch.autocast(self._device, kind, enabled=self.precision != "f32"):
                if self._names:
                    picture, own = self._answer(batch, known, trust, self._guide)
                else:
                    picture, own = self._model.draw_part(batch, known, self._guide), torch.zeros_like(known)
        restored = picture[0].float().contiguous().cpu().numpy()
        return crop_to(restored, height, width), own[0].float().cpu().numpy()

    def for_size(self, height: int, width: int) -> TorchBackend:
        """See `Backend.for_size`; any size, without the heads that name and grade."""
        if self._answer != self._model.answer_part:  # what was compiled stays as it is
            return self
        sized = copy(self)  # with the same lock
        sized._names = False
        return sized

    def told(self, sentence: Pixels) -> Backend:
        """See `Backend.told`."""
        import torch

        told = copy(self)  # with the same lock
        told._guide = torch.from_numpy(sentence[None]).to(self._device)
        return told

    def exact(self) -> Backend | None:
        """See `Backend.exact`."""
        if self.precision == "f32":
            return None
        exact = TorchBackend(self._path, device=self._device, precision="f32")
        exact._guide = self._guide
        return exact


def find_gpu() -> str | None:
    """The GPU that PyTorch can use, "cuda" or "mps"; None where there is none."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def _has_bf16(device: str) -> bool:
    import torch

    return device == "cuda" and torch.cuda.is_bf16_supported()
