"""A checkpoint turned into an OpenVINO model, which runs without PyTorch."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undegrade.errors import UndegradeError
from undegrade.inference.extras import needs_train
from undegrade.inference.openvino import openvino

if TYPE_CHECKING:
    from undegrade.networks import UniversalRestorer

VERSION = 1  # of the layout of the header
HEADER = "undegrade"  # key of the header in the model's rt_info


def export(checkpoint: Path, out: Path, half: bool = True) -> None:
    """Write the checkpoint as `out` (.xml) and a .bin file beside it, both or none.

    The model takes `image` (1, 3, H, W), RGB in [0, 1], H and W any multiples of its size multiple, and answers with
    `picture` (1, 3, H, W), not clipped, and `logits` (1, num_labels). Padding is left to the caller: traced, it would
    be frozen to one size.

    Args:
        checkpoint: written by `undegrade train`.
        out: path of the .xml file, in an existing folder; replaced where it exists.
        half: store the weights as float16.

    Raises:
        UndegradeError: PyTorch is missing, the checkpoint is damaged, its network cannot be exported, or `out` cannot
            be written.
    """
    if out.suffix.lower() != ".xml":
        raise UndegradeError(f"{out}: unknown ending {out.suffix!r}; expected .xml")
    with needs_train("exporting"):
        from undegrade.networks.checkpoint import load_checkpoint, read_header

        header = read_header(checkpoint)
        model = load_checkpoint(checkpoint)
    if not model.network.global_statistics:
        raise UndegradeError(f"{checkpoint}: networks with local statistics (local_size) cannot be exported")
    about = {
        "version": VERSION,
        "network": header["network"],
        "labels": list(model.labels),
        "size_multiple": model.network.size_multiple,
        "checkpoint_sha256": header["sha256"],
    }
    _save(_convert(model), out, about, half=half)


def _convert(model: UniversalRestorer) -> Any:
    """The torch model as an `openvino.Model`, through the frontend itself: `convert_model` would report home."""
    ov = openvino()
    import torch
    from openvino._offline_transformations import apply_moc_transformations
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    class Unpadded(torch.nn.Module):
        """The forward of `UniversalRestorer` without padding and cropping."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.model.answer(image)

    side = 2 * model.network.size_multiple
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns about itself
        decoder = TorchScriptPythonDecoder(Unpadded().eval(), example_input=torch.zeros(1, 3, side, side))
        frontend = FrontEndManager().load_by_framework("pytorch")
        converted = frontend.convert(frontend.load(decoder))
    converted.reshape(ov.PartialShape([1, 3, -1, -1]))
    # Folds constants and scales into the convolutions: a third of the nodes, and compiled in half the time.
    apply_moc_transformations(converted, cf=True)
    converted.inputs[0].set_names({"image"})
    for output, name in zip(converted.outputs, ("picture", "logits"), strict=True):
        output.set_names({name})
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


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
