"""What runs a model file, and on which device."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.inference.backend import Backend, Precision
from undegrade.inference.foreign import SpandrelBackend
from undegrade.inference.models import PUBLISHED
from undegrade.inference.onnx import OnnxBackend
from undegrade.inference.openvino import OpenVinoBackend
from undegrade.inference.pytorch import TorchBackend, find_gpu

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "bf16", "fp16", "f32")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A backend that is ready, and why it was chosen."""

    backend: Backend
    why: str

    @property
    def sentence(self) -> str:
        """Both, for a report."""
        return f"{self.backend.name}: {self.why}"


def choose(path: Path, *, device: str = "auto", precision: str = "auto") -> Choice:
    """The backend for a model file.

    .xml runs on OpenVINO; on a GPU, the .safetensors file beside it runs on PyTorch instead. .safetensors runs on
    PyTorch, .onnx on ONNX Runtime, weights of other projects (`PUBLISHED`) on spandrel.

    Args:
        path: the model file.
        device: one of `DEVICES`; "auto" takes a GPU where what runs the file can use one.
        precision: one of `PRECISIONS`; "auto" the fastest that is still harmless there.

    Raises:
        UndegradeError: an unknown device or precision, or one that is not there; or the model cannot be loaded.
    """
    if device not in DEVICES:
        raise UndegradeError(f"device: {device!r}; expected one of {', '.join(DEVICES)}")
    if precision not in PRECISIONS:
        raise UndegradeError(f"precision: {precision!r}; expected one of {', '.join(PRECISIONS)}")
    rounding: Precision = precision  # type: ignore[assignment]  # one of them, as was just seen
    suffix = path.suffix.lower()
    if suffix in PUBLISHED or suffix == ".onnx":
        if precision not in ("auto", "f32"):
            raise UndegradeError(f"precision: {precision}; {suffix} files run in f32 alone, choose auto or f32")
        if suffix == ".onnx":
            return Choice(backend=OnnxBackend(path, device=device), why="an .onnx file, on the device it can have here")
        if device not in ("auto", "cpu"):
            raise UndegradeError(f"device: {device}; published weights run on the CPU alone, choose auto or cpu")
        return Choice(backend=SpandrelBackend(path), why="published weights, which run on the CPU")
    return _choose_own(path, device, rounding)


def _choose_own(path: Path, device: str, precision: Precision) -> Choice:
    """Of the two kinds of files that undegrade ships."""
    exported, checkpoint = path.suffix.lower() == ".xml", path.with_suffix(".safetensors")
    asked = "as asked" if device != "auto" else ""
    gpu = find_gpu() if device == "auto" and _may_have_gpu() and checkpoint.is_file() else None
    target = gpu or ("cpu" if device == "auto" else device)
    if target == "cpu" and exported:
        why = asked or ("no GPU that PyTorch can use" if _may_have_gpu() else "no GPU")
        return Choice(backend=OpenVinoBackend(path, precision=precision), why=f"the CPU, {why}")
    if not checkpoint.is_file():
        raise UndegradeError(f"device: {device}; it needs {checkpoint.name} beside {path}; choose auto or cpu")
    why = asked or ("PyTorch can use it" if gpu else "no GPU; the .xml file of an export is faster there")
    name = {"cpu": "the CPU", "cuda": "the NVIDIA GPU", "mps": "the Apple GPU"}[target]
    return Choice(backend=TorchBackend(checkpoint, device=target, precision=precision), why=f"{name}, {why}")


def open_backend(path: Path, *, device: str = "auto", precision: str = "auto") -> Backend:
    """`choose` without its reason."""
    return choose(path, device=device, precision=precision).backend


def _may_have_gpu() -> bool:
    """Whether it is worth a second to import PyTorch and look for a GPU."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return os.name == "nt" or Path("/proc/driver/nvidia/version").exists()
