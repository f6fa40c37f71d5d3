"""A model as a folder in the layout of the Hugging Face Hub, and from there.

The layout is that of `PyTorchModelHubMixin`: config.json, model.safetensors and a card, README.md; beside them the
export (model.xml, model.bin) and the calibration (model.diagnosis.npz), so that the folder runs without PyTorch, with
its gate. Nothing is fetched unless a model is named with `hf:`.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.inference.extras import needs_hub, needs_train

PREFIX = "hf:"  # before a repository's name, and perhaps @REVISION behind it
CONFIG, CARD, WEIGHTS = "config.json", "README.md", "model.safetensors"
RUN = "model.xml"  # what is run of a folder, or else the weights
PARTS = (".safetensors", ".xml", ".bin", ".diagnosis.npz", ".taught.npz")
KEPT = [CONFIG, CARD, *(f"model{part}" for part in PARTS)]
FRONT = """---
license: {license}
library_name: undegrade
pipeline_tag: image-to-image
tags:
- image-restoration
- model_hub_mixin
- pytorch_model_hub_mixin
---

"""
PLAIN_CARD = "# {stem}\n\nA restoration model of undegrade: `undegrade restore photo.jpg --model FOLDER`.\n"


def save_folder(checkpoint: Path, folder: Path, *, license: str, card: Path | None = None) -> tuple[Path, ...]:
    """Write a model as a folder for the Hub; the folder must not be there yet.

    Args:
        checkpoint: the .safetensors file; what lies beside it under the same name comes along.
        folder: to make, whole or not at all.
        license: of the weights, by the Hub's name for it, such as "apache-2.0".
        card: Markdown about the model; None says in one line what it is.

    Raises:
        UndegradeError: PyTorch is missing, the checkpoint or the export beside it is damaged, the export is another
            model's, the card is no UTF-8, or the folder exists or cannot be written.
    """
    with needs_train("a folder for the Hub"):
        from undegrade.networks.checkpoint import load_checkpoint, read_header
    header = read_header(checkpoint)
    load_checkpoint(checkpoint)  # damaged weights are not passed on
    _check_export(checkpoint.with_suffix(".xml"), header["sha256"])
    if folder.exists():
        raise UndegradeError(f"{folder}: exists already; choose another folder")
    try:
        text = card.read_text(encoding="utf-8") if card else PLAIN_CARD.format(stem=checkpoint.stem)
    except ValueError:
        raise UndegradeError(f"{card}: is no text in UTF-8; expected Markdown") from None
    front = "" if text.startswith("---\n") else FRONT.format(license=license)
    try:
        with tempfile.TemporaryDirectory(prefix=".hub-", dir=folder.absolute().parent) as parent:
            made = Path(parent) / "model"
            made.mkdir()
            for part in PARTS:
                source = checkpoint.with_name(checkpoint.stem + part)
                if source.is_file():
                    shutil.copyfile(source, made / f"model{part}")
            (made / CONFIG).write_text(json.dumps({"library_name": "undegrade", **header}, indent=2) + "\n")
            (made / CARD).write_text(front + text, encoding="utf-8")
            made.rename(folder)
    except OSError as error:
        raise UndegradeError(f"{folder}: cannot be written ({error.strerror}); check the folder and the disk") from None
    return tuple(sorted(folder.iterdir()))


def _check_export(path: Path, sha256: str) -> None:
    """Refuse to pack an export, if there is one, that is not whole, or of other weights: it is what would be run."""
    if not path.is_file():
        return
    from undegrade.inference.openvino import openvino_core, read_model  # not for --help, which asks for models

    _, header = read_model(openvino_core(), path)
    if header["checkpoint_sha256"] != sha256:
        raise UndegradeError(f"{path}: was exported from other weights; write it anew with undegrade export")


def push_folder(folder: Path, repository: str, *, private: bool = False) -> str:
    """Put a folder of `save_folder` onto the Hub, into a repository that is made if need be; returns its address.

    Raises:
        UndegradeError: the extra `hub` is missing, the folder is none of a model, or the Hub says no.
    """
    if not (folder / WEIGHTS).is_file():
        raise UndegradeError(f"{folder}: has no {WEIGHTS}; expected a folder written by undegrade hub save")
    with needs_hub("the Hub"):
        from huggingface_hub import HfApi
    try:
        api = HfApi()
        made = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=made.repo_id, folder_path=str(folder), allow_patterns=KEPT)
    except Exception as error:  # whatever its HTTP client raises
        raise UndegradeError(f"{PREFIX}{repository}: cannot be pushed ({_first_line(error)})") from None
    return str(made)


@cache
def folder_of(name: str) -> Path:
    """The folder of a model `hf:OWNER/NAME`, perhaps with `@REVISION`, in the Hub's cache.

    The Hub is asked once a process for what is new; what is there already is not fetched again.

    Raises:
        UndegradeError: the name is none, the extra `hub` is missing, or there is no such model, or no way to it.
    """
    found = re.fullmatch(rf"{PREFIX}([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", name)
    if not found:
        raise UndegradeError(f"{name}: expected {PREFIX}OWNER/NAME, or {PREFIX}OWNER/NAME@REVISION")
    with needs_hub("the Hub"):
        from huggingface_hub import snapshot_download
    try:
        return Path(snapshot_download(found[1], revision=found[2], allow_patterns=KEPT))
    except Exception as error:  # whatever its HTTP client raises
        raise UndegradeError(
            f"{name}: cannot be fetched ({_first_line(error)}); check the name and the way to the Hub"
        ) from None


def file_in(folder: Path) -> Path:
    """What is run of a model's folder.

    Raises:
        UndegradeError: it holds neither an export nor weights.
    """
    for name in (RUN, WEIGHTS):
        if (folder / name).is_file():
            return folder / name
    raise UndegradeError(f"{folder}: holds no model; expected {RUN} or {WEIGHTS} in it")


def _first_line(error: Any) -> str:
    return (str(error) or type(error).__name__).strip().partition("\n")[0]
