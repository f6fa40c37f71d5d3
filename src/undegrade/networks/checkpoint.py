"""Checkpoints: safetensors plus what is needed to build the model again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from undegrade.atomic import written_whole
from undegrade.errors import UndegradeError
from undegrade.networks import NETWORKS
from undegrade.networks.classifier import DegradationClassifier
from undegrade.networks.universal import UniversalRestorer

VERSION = 1  # of the layout of the header
NAMED = 5  # keys that a message names
# Without which nothing can be built.
FIELDS = ("network", "config", "classifier", "labels", "steered", "sharpness", "sha256")


def digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 in hex over names, kinds, shapes and bytes of the tensors, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def save_checkpoint(
    model: UniversalRestorer, path: Path, *, recipe: dict[str, Any] | None = None, half: bool = True
) -> None:
    """Write the model to `path` (.safetensors), whole or not at all.

    Args:
        model: on any device.
        path: replaced when the new file is complete.
        recipe: how the model was trained, as JSON-like data.
        half: store the weights as float16, half the size; they lose less than what bf16 training keeps.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if half:  # not the statistics of batch norms: variances may be out of its range
        tensors.update((name, tensors[name].half()) for name, _ in model.named_parameters())
    name = next(n for n, c in NETWORKS.items() if type(model.network) is c)
    header = {
        "version": VERSION,
        "network": name,
        "config": asdict(model.network.config),
        "classifier": asdict(model.classifier.config) if isinstance(model.classifier, DegradationClassifier) else None,
        "labels": model.labels,
        "steered": model.answers is not None,
        "sharpness": model.sharpness,
        "multi_label": model.multi_label,
        "kinds": model.kinds,
        "grader": asdict(model.grader.config) if model.grader else None,
        "recipe": recipe,
        "sha256": digest(tensors),
    }
    with written_whole(path) as partial:
        # Not save_file: it makes files that nobody else may read.
        partial.write_bytes(save(tensors, metadata={"undegrade": json.dumps(header)}))


def read_header(path: Path) -> dict[str, Any]:
    """The checkpoint's description, without its weights.

    Raises:
        UndegradeError: the file is missing, is no checkpoint of undegrade, or is of a newer version.
    """
    if not path.is_file():
        raise UndegradeError(f"{path}: no such checkpoint; expected a .safetensors file, check the name")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("undegrade")
    except (OSError, SafetensorError) as error:
        raise UndegradeError(
            f"{path}: not a readable checkpoint ({error}); expected a whole .safetensors file, get it anew"
        ) from None
    if text is None:
        raise UndegradeError(f"{path}: has no undegrade header; expected a checkpoint of undegrade, by train or import")
    try:
        header: dict[str, Any] = json.loads(text)
    except ValueError:
        raise UndegradeError(f"{path}: its undegrade header is damaged; get the file anew") from None
    if header.get("version") != VERSION:
        raise UndegradeError(
            f"{path}: header version {header.get('version')}; this undegrade reads {VERSION}; update undegrade"
        )
    lacking = [field for field in FIELDS if field not in header]
    if lacking:
        raise UndegradeError(f"{path}: its undegrade header lacks {', '.join(lacking)}; get the file anew")
    return header


def load_checkpoint(path: Path) -> UniversalRestorer:
    """Build the model that `path` describes and fill in its weights, as float32, in evaluation mode.

    Raises:
        UndegradeError: the file cannot be read, its weights do not have the recorded hash, or they do not fit the
            recorded configuration.
    """
    header = read_header(path)
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no mapping, keys() is its API
    if digest(tensors) != header["sha256"]:
        raise UndegradeError(
            f"{path}: the weights do not match their recorded sha256; the file is damaged, get it anew"
        )
    if header["network"] not in NETWORKS:
        raise UndegradeError(f"{path}: network {header['network']!r} is unknown; known are {', '.join(NETWORKS)}")
    kind: Any = NETWORKS[header["network"]]  # each takes its own Config
    try:
        config = kind.Config(**tuples(header["config"]))
        head, grader = (
            DegradationClassifier.Config(**given) if (given := header.get(name)) else None
            for name in ("classifier", "grader")
        )
        labels, sharpness = tuple(header["labels"]), float(header["sharpness"])
        model = UniversalRestorer(
            kind(config),
            head,
            labels,
            steered=header["steered"],
            sharpness=sharpness,
            multi_label=bool(header.get("multi_label", False)),
            kinds=tuple(header.get("kinds", ())),
            grader=grader,
        )
        faults = misfits(model.state_dict(), tensors)
    except (TypeError, ValueError, RuntimeError) as error:
        faults = str(error).splitlines()[0]
    if faults:
        raise UndegradeError(f"{path}: the weights do not fit the recorded configuration ({faults}); get the file anew")
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    return model.eval()


def misfits(own: dict[str, Tensor], tensors: dict[str, Tensor]) -> str:
    """What keeps these tensors from being those of a model: the first few keys of each fault; "" where nothing does.

    Args:
        own: the model's.
        tensors: what there is.
    """
    faults = []
    for what, keys in (
        ("missing", [key for key in own if key not in tensors]),
        ("left over", [key for key in tensors if key not in own]),
        (
            "of another shape",
            [
                f"{key} {tuple(tensors[key].shape)} for {tuple(value.shape)}"
                for key, value in own.items()
                if key in tensors and value.shape != tensors[key].shape
            ],
        ),
    ):
        if keys:
            more = f" (+{len(keys) - NAMED} more)" if len(keys) > NAMED else ""
            faults.append(f"{what}: {', '.join(keys[:NAMED])}{more}")
    return "; ".join(faults)


def tuples(config: dict[str, Any]) -> dict[str, Any]:
    """The dataclass fields back from JSON, where tuples became lists."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
