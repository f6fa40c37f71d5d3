import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.inference.backends import open_backend
from undegrade.inference.export import export
from undegrade.inference.onnx import OnnxBackend
from undegrade.inference.pytorch import TorchBackend

Scene = Callable[[int, int], NDArray[np.float32]]


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    export(checkpoint, path)
    return path


def test_it_answers_as_torch_does_at_any_size(exported: Path, checkpoint: Path, scene: Scene) -> None:
    backend, expected = open_backend(exported), TorchBackend(checkpoint)
    assert backend.name == "tiny.onnx, ONNX Runtime f32"
    assert (backend.labels, backend.size_multiple) == (expected.labels, expected.size_multiple)
    _, context = expected.run(scene(64, 64))
    for size in ((21, 34), (16, 5), (130, 47)):
        for given in (None, context):
            for ours, theirs in zip(backend.run(scene(*size), given), expected.run(scene(*size), given), strict=True):
                np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[: len(data) // 2], "damaged"),
        (lambda data: b"not a model", "damaged"),
        (lambda data: data[:20000] + bytes([data[20000] ^ 4]) + data[20001:], "damaged"),
        (lambda data: data.replace(b"undegrade", b"otherwise"), "has no undegrade header"),
        (lambda data: data.replace(b'"version": 2', b'"version": 7'), "header version 7"),
    ],
)
def test_a_damaged_file_is_one_line(
    exported: Path, tmp_path: Path, spoil: Callable[[bytes], bytes], message: str
) -> None:
    (tmp_path / "m.onnx").write_bytes(spoil(exported.read_bytes()))
    with pytest.raises(UndegradeError, match=message) as caught:
        OnnxBackend(tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)


def test_devices_that_are_not_there_are_refused(exported: Path) -> None:
    with pytest.raises(UndegradeError, match="device: mps; this ONNX Runtime has none"):
        OnnxBackend(exported, device="mps")
    with pytest.raises(UndegradeError, match=r"precision: bf16; .onnx files run in f32 alone"):
        open_backend(exported, precision="bf16")


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra_it_says_what_to_install(
    exported: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    work = {"onnx": partial(export, checkpoint, tmp_path / "m.onnx"), "onnxruntime": partial(OnnxBackend, exported)}
    with pytest.raises(UndegradeError, match=r"pip install 'undegrade\[onnx\]'"):
        work[missing]()
    assert not list(tmp_path.iterdir())
