"""A checkpoint turned into an OpenVINO or ONNX model, which runs without PyTorch."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undegrade.errors import UndegradeError
from undegrade.inference.extras import needs_train
from undegrade.inference.header import HEADER, INPUTS, OUTPUTS, describe, file_sha256
from undegrade.inference.models import why_not_run
from undegrade.inference.onnx import save_onnx
from undegrade.inference.openvino import openvino

if TYPE_CHECKING:
    import torch

    from undegrade.networks import UniversalRestorer


def export(checkpoint: Path, out: Path, half: bool = True) -> None:
    """Write the checkpoint as `out`: .xml and a .bin file beside it, both or none; or .onnx.

    The model takes `image` (1, 3, H, W), RGB in [0, 1], H and W any multiples of its size multiple, and answers with
    `picture` (1, 3, H, W), not clipped, and `context_of_image` (1, num_context), whose last numbers are the logits.
    Where the image is a part of a picture, it also takes the picture's `context` and 1 as `trust`, otherwise 0
    (`UniversalRestorer.answer_part`). Padding is left to the caller: traced, it would be frozen to one size.

    Args:
        checkpoint: written by `undegrade train`.
        out: path of the .xml or .onnx file, in an existing folder; replaced where it exists.
        half: store the weights as float16; .onnx has float32.

    Raises:
        UndegradeError: PyTorch is missing, the checkpoint is damaged, its network cannot be exported, or `out` cannot
            be written.
    """
    if out.suffix.lower() not in (".xml", ".onnx"):
        raise UndegradeError(f"{out}: unknown ending {out.suffix!r}; expected .xml or .onnx")
    with needs_train("exporting"):
        from undegrade.networks.checkpoint import load_checkpoint, read_header

        header = read_header(checkpoint)
        model = load_checkpoint(checkpoint)
    if obstacle := why_not_run(model.network):
        raise UndegradeError(f"{checkpoint}: {obstacle}; it cannot be exported")
    if getattr(model.network.config, "local_size", 0):
        raise UndegradeError(f"{checkpoint}: networks with local statistics (local_size) cannot be exported")
    about = describe(model, header)
    part, example = _traceable(model)
    if out.suffix.lower() == ".onnx":
        save_onnx(part, example, about, out)
    else:
        _save(_convert(part, example), out, about, half=half)


def _traceable(model: UniversalRestorer) -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """`UniversalRestorer.answer_part` as a forward, and an example of what it takes."""
    import torch

    class Part(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(
            self, image: torch.Tensor, context: torch.Tensor, trust: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            return self.model.answer_part(image, context, trust)

    side = 2 * model.network.size_multiple
    return Part().eval(), (torch.zeros(1, 3, side, side), torch.zeros(1, model.num_context), torch.zeros(()))


def _convert(part: torch.nn.Module, example: tuple[torch.Tensor, ...]) -> Any:
    """The torch model as an `openvino.Model`, through the frontend itself: `convert_model` would report home."""
    ov = openvino()
    from openvino._offline_transformations import apply_moc_transformations
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns about itself
        decoder = TorchScriptPythonDecoder(part, example_input=example)
        frontend = FrontEndManager().load_by_framework("pytorch")
        converted = frontend.convert(frontend.load(decoder))
    shapes: tuple[list[int], ...] = ([1, 3, -1, -1], list(example[1].shape), [])
    converted.reshape({place: ov.PartialShape(shape) for place, shape in enumerate(shapes)})
    # Folds constants and scales into the convolutions: a third of the nodes, and compiled in half the time.
    apply_moc_transformations(converted, cf=True)
    for place, name in zip((*converted.inputs, *converted.outputs), INPUTS + OUTPUTS, strict=True):
        place.set_names({name})
    return converted


def _save(model: Any, out: Path, about: dict[str, Any], *, half: bool) -> None:
    ov = openvino()
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent) as folder:
            partial = Path(folder) / "model.xml"
            weights = partial.with_suffix(".bin")
            ov.save_model(model, partial, compress_to_fp16=half)
            # OpenVINO itself does not notice a damaged .bin file, so the header, saved second, carries its hash.
            about = {**about, "weights_sha256": file_sha256(weights)}
            model.set_rt_info(json.dumps(about), [HEADER])
            ov.save_model(model, partial, compress_to_fp16=half)
            weights.replace(out.with_suffix(".bin"))
            partial.replace(out)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise UndegradeError(f"{out}: cannot be written ({reason}); check the folder and the disk") from None
