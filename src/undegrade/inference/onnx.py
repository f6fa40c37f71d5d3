"""Exported models on ONNX Runtime (extra `onnx`), for where OpenVINO is not: other devices, other languages."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from undegrade.atomic import written_whole
from undegrade.errors import UndegradeError
from undegrade.images.padding import crop_to, pad_to_multiple
from undegrade.inference.backend import Backend, Pixels, naming_lack_of_memory
from undegrade.inference.extras import MissingExtra
from undegrade.inference.header import HEADER, INPUTS, OUTPUTS, VERSION

if TYPE_CHECKING:
    import torch

OPSET = 17  # the first with layer normalisation
NO_HASH = "0" * 64  # stands in the file while it is hashed
# What runs a model, by the name of the device; the CPU also takes what the others leave over.
PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider", "cpu": "CPUExecutionProvider"}


class OnnxBackend(Backend):
    """An .onnx file written by `undegrade export`, in float32.

    Args:
        path: the file.
        device: key of `PROVIDERS`; "auto" takes the first that the installed ONNX Runtime has.

    Raises:
        UndegradeError: ONNX Runtime is missing, or has no such device; the file is damaged or not of undegrade.
    """

    def __init__(self, path: Path, *, device: str = "auto") -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError:
            raise MissingExtra(
                f"{path}: needs the extra onnx (onnxruntime is not installed): pip install 'undegrade[onnx]'"
            ) from None
        installed = onnxruntime.get_available_providers()
        chosen = next(name for name in PROVIDERS if PROVIDERS[name] in installed) if device == "auto" else device
        if PROVIDERS[chosen] not in installed:
            raise UndegradeError(f"device: {device}; this ONNX Runtime has none, choose auto or cpu")
        header = _read_header(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors alone
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=list(dict.fromkeys((PROVIDERS[chosen], PROVIDERS["cpu"])))
            )
        except Exception as error:  # its errors share no class
            raise UndegradeError(f"{path}: ONNX Runtime cannot load it ({_first_line(error)})") from None
        self.name = f"{path.name}, ONNX Runtime f32" + ("" if chosen == "cpu" else f" on {chosen}")
        self.labels, self.finished = tuple(header["labels"]), tuple(header.get("finished", ()))
        self.multi_label = bool(header["multi_label"])
        self.size_multiple = int(header["size_multiple"])
        self._nothing = np.zeros(int(header["num_context"]), np.float32)

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        """See `Backend.run`; safe to call from several threads."""
        padded, height, width = pad_to_multiple(image, self.size_multiple)
        given = (padded[None], (self._nothing if context is None else context)[None], np.array(context is not None))
        named = {name: np.ascontiguousarray(value, np.float32) for name, value in zip(INPUTS, given, strict=True)}
        with naming_lack_of_memory():
            picture, own = self._session.run(list(OUTPUTS), named)
        return crop_to(picture[0], height, width), own[0]


def _read_header(path: Path) -> dict[str, Any]:
    """The header of an .onnx file, which also vouches for the rest of it."""
    import onnxruntime

    damaged = UndegradeError(f"{path}: the model is damaged; get the file anew")
    data = path.read_bytes()
    try:
        session = onnxruntime.InferenceSession(data, providers=[PROVIDERS["cpu"]])
        header: dict[str, Any] = json.loads(session.get_modelmeta().custom_metadata_map[HEADER])
    except KeyError:
        raise UndegradeError(f"{path}: has no undegrade header; expected a model written by undegrade export") from None
    except Exception:
        raise damaged from None
    if header.get("version") != VERSION:
        raise UndegradeError(
            f"{path}: header version {header.get('version')}; this undegrade reads {VERSION}; update undegrade, or "
            "export the checkpoint anew"
        )
    found = header.get("sha256", "")
    if hashlib.sha256(data.replace(found.encode(), NO_HASH.encode())).hexdigest() != found:
        raise damaged
    return header


def save_onnx(part: torch.nn.Module, example: tuple[torch.Tensor, ...], about: dict[str, Any], out: Path) -> None:
    """Write a model as an .onnx file.

    Args:
        part: a forward from `INPUTS` to `OUTPUTS`.
        example: of its inputs.
        about: the header.
        out: the file; replaced where it exists.

    Raises:
        UndegradeError: the package onnx is missing, the network has what ONNX has not, or `out` cannot be written.
    """
    import torch

    try:
        import onnx
    except ModuleNotFoundError:
        raise MissingExtra(
            "exporting to .onnx needs the extra onnx (onnx is not installed): pip install 'undegrade[onnx]'"
        ) from None
    sides = {2: "height", 3: "width"}
    with written_whole(out) as partial:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tracing warns about itself
                torch.onnx.export(
                    *(part, example, str(partial)),
                    input_names=INPUTS,
                    output_names=OUTPUTS,
                    dynamic_axes={INPUTS[0]: sides, OUTPUTS[0]: sides},
                    opset_version=OPSET,
                    dynamo=False,  # the other exporter fixes the sides of some networks
                )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            raise UndegradeError(f"{out}: the network cannot be written as ONNX ({_first_line(error)})") from None
        model = onnx.load(partial)
        onnx.helper.set_model_props(model, {HEADER: json.dumps({**about, "sha256": NO_HASH})})
        data = model.SerializeToString()
        digest = hashlib.sha256(data).hexdigest()
        partial.write_bytes(data.replace(NO_HASH.encode(), digest.encode()))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
