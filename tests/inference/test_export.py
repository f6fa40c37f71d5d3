import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.inference.export import export
from undegrade.inference.header import file_sha256
from undegrade.inference.openvino import OpenVinoBackend, openvino, openvino_core
from undegrade.inference.pytorch import TorchBackend
from undegrade.networks import UniversalRestorer
from undegrade.networks.checkpoint import load_checkpoint, read_header, save_checkpoint
from undegrade.recipes import RECIPES
from undegrade.training.run import build

Scene = Callable[[int, int], NDArray[np.float32]]


def psnr(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(10 * np.log10(1 / np.square(a - b).mean()))


@pytest.mark.slow
@pytest.mark.parametrize(("half", "least"), [(True, 50), (False, 90)])
def test_openvino_agrees_with_torch_at_several_sizes(
    checkpoint: Path, tmp_path: Path, scene: Scene, half: bool, least: float
) -> None:
    export(checkpoint, tmp_path / "m.xml", half=half)
    exact = OpenVinoBackend(tmp_path / "m.xml", precision="f32")
    torch_backend = TorchBackend(checkpoint)
    for size in ((64, 64), (33, 120), (16, 5), (130, 47)):
        image = scene(*size)
        picture, context = exact.run(image)
        expected, expected_context = torch_backend.run(image)
        assert picture.shape == expected.shape == image.shape
        assert psnr(expected, image) < 40  # the network does something
        assert psnr(picture, expected) > least
        np.testing.assert_allclose(context, expected_context, atol=0.01)


def test_the_header_describes_the_model(checkpoint: Path, model: Path) -> None:
    exported = openvino_core().read_model(model)
    header = json.loads(exported.get_rt_info(["undegrade"]).astype(str))
    source = read_header(checkpoint)
    assert header == {
        "version": 2,
        "network": "nafnet",
        "labels": source["labels"],
        "finished": [],
        "multi_label": False,
        "size_multiple": 16,
        "num_context": load_checkpoint(checkpoint).num_context,
        "checkpoint_sha256": source["sha256"],
        "weights_sha256": file_sha256(model.with_suffix(".bin")),
    }
    assert header["labels"][0] == "clean"
    assert [sorted(output.names) for output in exported.outputs] == [["picture"], ["context_of_image"]]
    assert [sorted(given.names) for given in exported.inputs] == [["image"], ["context"], ["trust"]]
    assert str(exported.inputs[0].partial_shape) == "[1,3,?,?]"


@pytest.mark.slow
def test_exporting_reports_nothing_home(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *where: calls.append(where))
    monkeypatch.setattr(socket.socket, "connect", lambda *where: calls.append(where))
    export(checkpoint, tmp_path / "m.xml")
    assert not calls
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.bin", "m.xml"]


@pytest.mark.parametrize("out", ["m.bin", "nowhere/m.xml"])
def test_what_cannot_be_written_is_said(checkpoint: Path, tmp_path: Path, out: str) -> None:
    with pytest.raises(UndegradeError, match=r"m.bin: unknown ending|m.xml: cannot be written"):
        export(checkpoint, tmp_path / out)
    assert not list(tmp_path.iterdir())


def test_a_crash_leaves_nothing(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object, compress_to_fp16: bool) -> None:
        raise RuntimeError("no space\nsecond line")

    monkeypatch.setattr(openvino(), "save_model", full_disk)
    with pytest.raises(UndegradeError, match=r"m.xml: cannot be written \(no space\)"):
        export(checkpoint, tmp_path / "m.xml")
    assert not list(tmp_path.iterdir())


def test_local_statistics_are_refused(tmp_path: Path) -> None:
    recipe = RECIPES["universal-small-debug"]()
    model = build(replace(recipe, network=replace(recipe.network, local_size=96)))
    save_checkpoint(model, tmp_path / "local.safetensors")
    with pytest.raises(UndegradeError, match="local statistics"):
        export(tmp_path / "local.safetensors", tmp_path / "m.xml")


def test_a_damaged_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    data = bytearray(checkpoint.read_bytes())
    data[-3] ^= 1
    (tmp_path / "bad.safetensors").write_bytes(data)
    with pytest.raises(UndegradeError, match="sha256"):
        export(tmp_path / "bad.safetensors", tmp_path / "m.xml")


@torch.no_grad()
def test_the_fixture_network_is_what_it_says(checkpoint: Path) -> None:
    from undegrade.networks.checkpoint import load_checkpoint

    model: UniversalRestorer = load_checkpoint(checkpoint)
    _, logits = model(torch.rand(1, 3, 32, 32))
    assert model.labels[int(logits.argmax())] == "rain"
