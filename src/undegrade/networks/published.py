"""Published checkpoints: read without executing anything, recognised by their keys, built strictly."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from undegrade.errors import UndegradeError
from undegrade.networks import NETWORKS, DegradationClassifier, RestorationNetwork, UniversalRestorer
from undegrade.networks.checkpoint import NAMED, misfits
from undegrade.networks.layouts import LAYOUTS, Layout, find_layout

# What training codes wrap the weights in; averaged weights are the ones their papers measured.
WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "network", "net", "generator")
PREFIXES = ("module.", "_orig_mod.", "net.", "net_g.", "model.", "network.", "generator.")
HEAD = re.compile(r"(mixing_weights|bottleneck_layers\..*|downsample_layers\..*|last_stage\..*|fc\..*)")
COUNT = "num_batches_tracked"


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """What a file holds.

    Args:
        path: of the file.
        tensors: by the names in the file; floats are float32.
        wrappers: what they lay in, from the outside, such as ("params_ema",).
        kinds: of the numbers in the file, such as ("float16",).
    """

    path: Path
    tensors: dict[str, Tensor]
    wrappers: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Recognised:
    """A file of a known layout.

    Args:
        weights: of the file.
        prefixes: that all its names have, outermost first.
        layout: that its keys tell.
        config: of our network, as the shapes tell it; replace fields of it where the file cannot tell.
        assumed: fields of it that no shape tells.
        unknown: those of them that must be replaced, for nothing is published for these shapes.
        tensors: by our names.
        unused: published names of what takes no part.
        head: the classifier's tensors by our names; empty where there is none.
    """

    weights: Weights
    prefixes: tuple[str, ...]
    layout: Layout
    config: Any
    assumed: tuple[str, ...]
    unknown: tuple[str, ...]
    tensors: dict[str, Tensor]
    unused: tuple[str, ...]
    head: dict[str, Tensor]


def read_published(path: Path) -> Weights:
    """The weights in a .pth, .pt, .ckpt or foreign .safetensors file.

    Raises:
        UndegradeError: there is no such file, it is damaged, holds no weights, needs code that is pickled in it, which
            is never executed, or is a checkpoint of undegrade itself.
    """
    if not path.is_file():
        raise UndegradeError(f"{path}: no such file; expected published weights, .pth, .ckpt or .safetensors")
    held = _safetensors(path) if path.suffix.lower() == ".safetensors" else _unpickled(path)
    wrappers: list[str] = []
    while isinstance(held, dict) and (wrapper := next((w for w in WRAPPERS if _has_tensors(held.get(w))), "")):
        held = held[wrapper]
        wrappers.append(wrapper)
    found = {k: v for k, v in held.items() if isinstance(v, Tensor)} if isinstance(held, dict) else {}
    if not found or not all(isinstance(key, str) for key in found):
        inside = ", ".join(map(str, list(held)[:NAMED])) if isinstance(held, dict) else type(held).__name__
        raise UndegradeError(f"{path}: holds no weights ({inside or 'is empty'}); expected named tensors")
    kinds = tuple(sorted({str(v.dtype).removeprefix("torch.") for v in found.values() if v.is_floating_point()}))
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in found.items()}
    return Weights(path=path, tensors=tensors, wrappers=tuple(wrappers), kinds=kinds)


def _has_tensors(held: object) -> bool:
    """Whether there are tensors in a dict, or in a dict in it."""
    return isinstance(held, dict) and any(isinstance(v, Tensor) or _has_tensors(v) for v in held.values())


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            if "undegrade" in (file.metadata() or {}):
                raise UndegradeError(
                    f"{path}: is a checkpoint of undegrade already and needs no import; use it as it is"
                )
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no mapping, keys() is its API
    except (OSError, SafetensorError) as error:
        raise UndegradeError(f"{path}: not a readable .safetensors file ({error}); get the file anew") from None


def _unpickled(path: Path) -> Any:
    """What torch.save wrote; only tensors, numbers, text and containers are let through."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise UndegradeError(f"{path}: cannot be read ({error.strerror}); check the file") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files that are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can fail anywhere in the reader
        if code := re.search(r"GLOBAL ([\w.]*\w)", str(error)):
            raise UndegradeError(
                f"{path}: holds more than tensors: it asks for {code[1]}, and undegrade never executes pickled code; "
                "expected a state_dict alone, save that where you trust the file"
            ) from None
        raise UndegradeError(
            f"{path}: not a readable checkpoint, damaged or of another kind ({type(error).__name__}); expected what "
            "torch.save wrote, get the file anew"
        ) from None


def _without_prefixes(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors without the prefixes that all names have, and these, outermost first."""
    taken = []
    while prefix := next((p for p in PREFIXES if all(key.startswith(p) for key in tensors)), ""):
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
        taken.append(prefix)
    return tensors, tuple(taken)


def find_layout_of(weights: Weights) -> Layout | None:
    """The layout that the names tell, if any."""
    return find_layout(_without_prefixes(_split(weights.tensors)[1])[0])


def recognise(weights: Weights) -> Recognised:
    """The layout of the weights and the configuration that their shapes tell.

    Raises:
        UndegradeError: the keys are of no layout known here, or some that tell the configuration are missing.
    """
    head, rest = _split(weights.tensors)
    rest, prefixes = _without_prefixes(rest)
    layout = find_layout(rest)
    if layout is None:
        known = ", ".join(dict.fromkeys(known.name.partition(" ")[0] for known in LAYOUTS))
        begin = ", ".join(list(weights.tensors)[:NAMED])
        raise UndegradeError(
            f"{weights.path}: weights of a network that undegrade does not know (they begin with {begin}); known are "
            f"{known}; undegrade restore --model FILE.pth runs what the extra spandrel knows"
        )
    try:
        tensors, unused = layout.ours(rest)
        reading = layout.read({key: tuple(value.shape) for key, value in tensors.items()}, layout.fixed)
    except KeyError as error:
        raise UndegradeError(f"{weights.path}: looks like {layout.name}, but lacks {error.args[0]}") from None
    except (ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise UndegradeError(f"{weights.path}: looks like {layout.name}, but that does not fit ({error})") from None
    return Recognised(
        weights=weights,
        prefixes=prefixes,
        layout=layout,
        config=reading.config,
        assumed=reading.assumed,
        unknown=reading.unknown,
        tensors=tensors,
        unused=unused,
        head=head,
    )


def _split(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """DCPT's classifier, by the names it has by itself, and all the rest."""
    first = next((key for key in tensors if re.search(r"(^|\.)mixing_weights$", key)), None)
    if first is None:
        return {}, tensors
    prefix = first.removesuffix("mixing_weights")
    head = {
        key.removeprefix(prefix): value
        for key, value in tensors.items()
        if key.startswith(prefix) and HEAD.fullmatch(key.removeprefix(prefix))
    }
    return head, {key: value for key, value in tensors.items() if key.removeprefix(prefix) not in head}


def with_head(found: Recognised, weights: Weights) -> Recognised:
    """The same with the classifier of another file, for DCPT stores it beside the network.

    Raises:
        UndegradeError: there is no classifier in it.
    """
    head, _ = _split(weights.tensors)
    if not head:
        raise UndegradeError(f"{weights.path}: holds no classifier of DCPT; expected mixing_weights among its keys")
    return replace(found, head=head)


def build(found: Recognised, config: Any, labels: Sequence[str] = ()) -> UniversalRestorer:
    """The model with the weights of the file, in evaluation mode.

    Args:
        found: what the file is.
        config: `found.config`, or that with other fields.
        labels: what the classifier's outputs stand for, in order; without labels it is left out.

    Raises:
        UndegradeError: keys are missing or left over, shapes are others, or the labels do not fit the classifier.
    """
    path = found.weights.path
    kind: Any = next(kind for kind in NETWORKS.values() if type(config) is kind.Config)  # type: ignore[attr-defined]
    network: RestorationNetwork = kind(config)
    _fill(network, found.tensors, f"{path}: looks like {found.layout.name}, but")
    if not labels:
        return UniversalRestorer(network, None, ()).eval()
    if not found.head:
        raise UndegradeError(f"{path}: labels were given, but it has no classifier to use them; leave them out")
    if len(set(labels)) < len(labels) or not all(labels):
        raise UndegradeError(f"labels are {', '.join(labels)}; expected names that differ, such as rain,noise,haze")
    head = {key: tuple(value.shape) for key, value in found.head.items()}
    number = head.get("fc.bias", (0,))[0]
    if len(labels) != number:
        raise UndegradeError(f"{path}: {len(labels)} labels; its classifier knows {number}, name each in its order")
    blocks = len({key.split(".")[2] for key in head if key.startswith("bottleneck_layers.0.")})
    model = UniversalRestorer(network, DegradationClassifier.Config(num_blocks=blocks), tuple(labels))
    _fill(model.classifier, found.head, f"{path}: has a classifier of DCPT, but its")
    return model.eval()


def _fill(module: torch.nn.Module, tensors: dict[str, Tensor], complaint: str) -> None:
    """Copy the tensors into the module, each one into its place."""
    # A batch norm's count of batches says nothing of what it computes, and not every file has it.
    tensors = {key: value for key, value in tensors.items() if not key.endswith(COUNT)}
    own = {key: value for key, value in module.state_dict().items() if not key.endswith(COUNT)}
    if faults := misfits(own, tensors):
        raise UndegradeError(f"{complaint} keys are {faults}")
    module.load_state_dict(tensors, strict=False)
