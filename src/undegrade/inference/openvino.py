"""Exported models on OpenVINO's CPU device; and the one door to OpenVINO."""

from __future__ import annotations

import json
import os
import sys
from copy import copy
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from undegrade.errors import UndegradeError
from undegrade.images.padding import crop_to, pad_to_multiple
from undegrade.inference.backend import Backend, Pixels, Precision, naming_lack_of_memory
from undegrade.inference.header import HEADER, VERSION, file_sha256

TELEMETRY = "openvino_telemetry"
DIFFERENCE = "Subtract"
UNSIZED = ("dwformer",)  # networks that OpenVINO (2026.4) answers wrongly for, by a third, once their sizes are fixed
CACHE = "UNDEGRADE_CACHE"  # environment variable: a folder for compiled models; empty: none are kept


def openvino() -> Any:
    """The `openvino` module, imported on first use, without its telemetry.

    Importing it sends a message to Google Analytics and writes a number that identifies the user into the home folder,
    unless the user declined. It comes with a stand-in for where its package for that is missing; so while it is
    imported here, that package is.
    """
    if "openvino" not in sys.modules:
        before = sys.modules.get(TELEMETRY)
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
        try:
            import openvino  # noqa: F401
        finally:
            if before is None:
                del sys.modules[TELEMETRY]
            else:
                sys.modules[TELEMETRY] = before
    return sys.modules["openvino"]


@cache
def openvino_core() -> Any:
    """The process's only `openvino.Core`.

    Each one swaps the thread's signal stack; dropping two in the order they came leaves a freed one behind, and the
    next signal (Ctrl-C) then crashes the process.
    """
    return openvino().Core()


class OpenVinoBackend(Backend):
    """An exported model, compiled once for pictures of every size.

    Args:
        path: the .xml file; its .bin lies beside it.
        precision: of the arithmetic: "bf16" (twice as fast, a picture at 50 dB, behind haze, to 70 dB of the float32
            one; the input itself is never rounded), "f32", or "auto": bf16 where the CPU has it.
        threads: None leaves the number to OpenVINO, which takes every core.

    Raises:
        UndegradeError: a file is missing, damaged or not of undegrade, or the CPU cannot compute in this precision.
    """

    def __init__(self, path: Path, *, precision: Precision = "auto", threads: int | None = None) -> None:
        core = openvino_core()
        self._model, header = read_model(core, path)
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "fp16" or (precision == "bf16" and not has_bf16):
            raise UndegradeError(f"precision: {precision}; this CPU has none, choose auto or f32")
        chosen = "bf16" if has_bf16 and precision != "f32" else "f32"
        self._config: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": chosen,
            "ENABLE_CPU_PINNING": False,  # else the threads of several processes all sit on the first cores
        }
        if threads is not None:
            self._config["INFERENCE_NUM_THREADS"] = threads
        self._path, self._threads, self.precision = path, threads, chosen
        self.name = f"{path.name}, OpenVINO {chosen}"
        self.labels = tuple(header["labels"])
        self.finished = tuple(header.get("finished", ()))  # exports from before have none
        self._network = str(header["network"])
        self.multi_label = bool(header["multi_label"])
        self.size_multiple = int(header["size_multiple"])
        self._nothing = np.zeros(int(header["num_context"]), np.float32)
        self._compiled = _compile(self._model, self._config, cache_folder())
        self._lock = Lock()  # a compiled model answers one call at a time
        self._sized: tuple[tuple[int, ...], OpenVinoBackend] | None = None  # from `for_size`
        self._names = True  # whether it says what it sees, which parts of a picture need not

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        """See `Backend.run`; safe to call from several threads."""
        padded, height, width = pad_to_multiple(image, self.size_multiple)
        given: dict[str, Any] = {
            "image": np.ascontiguousarray(padded[None]),
            "context": (self._nothing if context is None else context)[None],
        }
        if self._names:
            given["trust"] = np.float32(context is not None)
        with self._lock, naming_lack_of_memory():
            answer = self._compiled(given)
        own = answer["context_of_image"][0] if self._names else self._nothing
        return crop_to(answer["picture"][0], height, width), own

    def for_size(self, height: int, width: int) -> OpenVinoBackend:
        """See `Backend.for_size`; a third faster, after half a second. The last one is kept."""
        sides = tuple(-(-side // self.size_multiple) * self.size_multiple for side in (height, width))
        with self._lock:
            if self._sized is None or self._sized[0] != sides:
                self._sized = None  # each has memory of its own
                sized, model = copy(self), trusting(self._model)
                if self._network not in UNSIZED:
                    model.reshape({"image": [1, 3, *sides]})
                sized._names = False
                sized._compiled, sized._lock = _compile(model, self._config, None), Lock()
                self._sized = (sides, sized)
            return self._sized[1]

    def exact(self) -> Backend | None:
        """See `Backend.exact`."""
        if self.precision == "f32":
            return None
        return OpenVinoBackend(self._path, precision="f32", threads=self._threads)


def trusting(model: Any) -> Any:
    """The model for parts of a picture whose context is given: it takes it as it is, and says none of its own.

    Wherever the exported model computes own + trust * (given - own), the copy takes what is given; so nothing asks for
    the heads that name and grade any more, a third of the work, and compiling drops them.
    """
    model = model.clone()
    (trust,) = (p for p in model.get_parameters() if "trust" in p.output(0).get_names())
    waiting = [target.get_node() for target in trust.output(0).get_target_inputs()]
    while waiting:
        node = waiting.pop()
        (after,) = (target.get_node() for target in node.output(0).get_target_inputs())
        if node.get_type_name() != "Multiply":  # trust in another precision
            waiting.append(after)
            continue
        (difference,) = (
            value.get_node() for value in node.input_values() if value.get_node().get_type_name() == DIFFERENCE
        )
        after.output(0).replace(difference.input_value(0))
    (named,) = (result for result in model.get_results() if "context_of_image" in result.input_value(0).get_names())
    model.remove_result(named)
    model.remove_parameter(trust)
    return model


def _compile(model: Any, config: dict[str, Any], kept_in: Path | None) -> Any:
    """The model ready to run, from the last time or kept for the next time where there is a folder for it."""
    if kept_in is not None:
        try:
            return openvino_core().compile_model(model, "CPU", {**config, "CACHE_DIR": str(kept_in)})
        except RuntimeError:  # what is kept is damaged, or the disk is full: it is only a help
            pass
    return openvino_core().compile_model(model, "CPU", config)


def cache_folder() -> Path | None:
    """Where compiled models are kept, by the habits of the system; None where nothing can be written."""
    chosen = os.environ.get(CACHE)
    if chosen == "":
        return None
    usual = {"darwin": "~/Library/Caches", "win32": os.environ.get("LOCALAPPDATA", "~/AppData/Local")}
    parent = os.environ.get("XDG_CACHE_HOME") or usual.get(sys.platform, "~/.cache")
    folder = Path(chosen) if chosen else Path(parent).expanduser() / "undegrade"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # also where there is no home
        return None
    return folder if os.access(folder, os.W_OK) else None


def read_model(core: Any, path: Path) -> tuple[Any, dict[str, Any]]:
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
