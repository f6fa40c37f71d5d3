import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.inference import backends
from undegrade.inference.backends import choose, open_backend
from undegrade.inference.openvino import OpenVinoBackend, cache_folder, openvino
from undegrade.inference.pytorch import TorchBackend

Scene = Callable[[int, int], NDArray[np.float32]]


def test_every_backend_answers_alike(model: Path, checkpoint: Path, scene: Scene) -> None:
    for backend in (open_backend(model), open_backend(checkpoint)):
        assert backend.labels[0] == "clean"
        assert len(backend.labels) == 11
        assert backend.size_multiple == 16
        picture, context = backend.run(scene(21, 34))
        assert (picture.shape, picture.dtype) == ((3, 21, 34), np.float32)
        assert (context.ndim, context.dtype) == (1, np.float32)
        assert context.size > 11
        assert backend.labels[int(context[-11:].argmax())] == "rain"


def test_every_backend_heeds_the_context(model: Path, checkpoint: Path, scene: Scene) -> None:
    bright, dark = scene(48, 48), np.float32(0.2) * scene(48, 48)
    for backend in (open_backend(model, precision="f32"), open_backend(checkpoint)):
        alone, own = backend.run(dark)
        _, other = backend.run(bright)
        np.testing.assert_allclose(backend.run(dark, own)[0], alone, atol=1e-5)
        assert np.abs(backend.run(dark, other)[0] - alone).max() > 1e-4


def test_the_kind_of_file_decides(model: Path, checkpoint: Path) -> None:
    assert isinstance(open_backend(model, precision="f32"), OpenVinoBackend)
    assert isinstance(open_backend(checkpoint), TorchBackend)
    assert open_backend(model, precision="f32").name == "tiny.xml, OpenVINO f32"
    assert open_backend(checkpoint).name == "tiny.safetensors, PyTorch f32"


def test_bf16_stays_near_float32(model: Path, scene: Scene) -> None:
    image = scene(64, 64)
    auto, exact = OpenVinoBackend(model), OpenVinoBackend(model, precision="f32", threads=1)
    difference = auto.run(image)[0] - exact.run(image)[0]
    assert 10 * np.log10(1 / (np.square(difference).mean() + 1e-12)) > 50


def test_bf16_is_refused_where_the_cpu_has_none(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino().Core, "get_property", lambda *_: ["FP32"])
    assert OpenVinoBackend(model).name.endswith("f32")
    with pytest.raises(UndegradeError, match="precision: bf16"):
        OpenVinoBackend(model, precision="bf16")


def test_threads_may_share_a_backend(model: Path, scene: Scene) -> None:
    backend = OpenVinoBackend(model, precision="f32")
    image = scene(40, 40)
    alone = backend.run(image)[0]
    with ThreadPoolExecutor(3) as pool:
        for picture, _ in pool.map(backend.run, [image] * 9):
            np.testing.assert_array_equal(picture, alone)


def test_processes_do_not_all_sit_on_the_first_cores(model: Path) -> None:
    backend = OpenVinoBackend(model)
    sized = backend.for_size(32, 32)
    assert not backend._compiled.get_property("ENABLE_CPU_PINNING")
    assert not sized._compiled.get_property("ENABLE_CPU_PINNING")


def test_torch_in_bf16_stays_near_float32(checkpoint: Path, scene: Scene) -> None:
    image = scene(64, 64)
    exact, rounded = TorchBackend(checkpoint), TorchBackend(checkpoint, precision="bf16")
    difference = rounded.run(image)[0] - exact.run(image)[0]
    assert 0 < np.square(difference).mean() < 1e-5  # 50 dB
    assert exact.exact() is None
    again = rounded.exact()
    assert again is not None
    np.testing.assert_array_equal(again.run(image)[0], exact.run(image)[0])


def test_a_model_for_one_size_answers_as_that_for_all(model: Path, scene: Scene) -> None:
    backend = OpenVinoBackend(model, precision="f32")
    sized = backend.for_size(40, 60)
    assert backend.for_size(44, 64) is sized  # both are padded to 48 x 64
    _, context = backend.run(scene(100, 100))
    for size in ((40, 60), (48, 64)):
        one, other = backend.run(scene(*size), context), sized.run(scene(*size), context)
        np.testing.assert_allclose(one[0], other[0], atol=1e-5)
        assert not other[1].any()  # what is seen of a part is not asked for
    assert backend.for_size(16, 16) is not sized
    assert backend.run(scene(20, 30))[0].shape == (3, 20, 30)


def test_float32_is_at_hand_where_bf16_is_not_enough(model: Path, scene: Scene) -> None:
    assert OpenVinoBackend(model, precision="f32").exact() is None
    backend = OpenVinoBackend(model)
    if backend.precision == "bf16":
        exact = backend.exact()
        assert exact is not None
        assert exact.name.endswith("f32")
        assert exact.run(scene(20, 20))[0].shape == (3, 20, 20)


def test_what_was_compiled_is_kept_for_the_next_time(
    model: Path, tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    monkeypatch.setenv("UNDEGRADE_CACHE", str(kept))
    before = OpenVinoBackend(model).run(scene(20, 20))[0]
    blobs = list(kept.iterdir())
    assert blobs
    assert kept.stat().st_mode & 0o077 == 0
    np.testing.assert_array_equal(OpenVinoBackend(model).run(scene(20, 20))[0], before)
    for blob in blobs:  # damaged, it is made anew
        blob.write_bytes(blob.read_bytes()[: blob.stat().st_size // 2])
    np.testing.assert_array_equal(OpenVinoBackend(model).run(scene(20, 20))[0], before)
    monkeypatch.setenv("UNDEGRADE_CACHE", str(model / "no-folder"))
    np.testing.assert_array_equal(OpenVinoBackend(model).run(scene(20, 20))[0], before)
    monkeypatch.setenv("UNDEGRADE_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    OpenVinoBackend(model)
    assert not (tmp_path / "other").exists()
    monkeypatch.delenv("UNDEGRADE_CACHE")
    assert cache_folder() == tmp_path / "other" / "undegrade"


def test_the_device_is_chosen_and_the_choice_explained(
    model: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose(model).sentence.endswith(": the CPU, no GPU")
    assert choose(model, device="cpu").why == "the CPU, as asked"
    assert "the .xml file of an export is faster there" in choose(checkpoint).why
    with pytest.raises(UndegradeError, match="device: cuda; PyTorch finds none here"):
        choose(model, device="cuda")
    with pytest.raises(UndegradeError, match="device: 'tpu'; expected one of auto, cpu, cuda, mps"):
        choose(model, device="tpu")
    with pytest.raises(UndegradeError, match="precision: 'int8'; expected one of"):
        choose(model, precision="int8")
    # Where a GPU is found, the checkpoint beside the exported model goes there; the CPU stands for it here.
    monkeypatch.setattr(backends, "_may_have_gpu", lambda: True)
    assert choose(model).why == "the CPU, no GPU that PyTorch can use"
    monkeypatch.setattr(backends, "find_gpu", lambda: "cuda")
    monkeypatch.setattr(backends, "TorchBackend", lambda path, device, precision: TorchBackend(path))
    found = choose(model)
    assert isinstance(found.backend, TorchBackend)
    assert found.why == "the NVIDIA GPU, PyTorch can use it"


def test_a_gpu_needs_the_checkpoint(model: Path, tmp_path: Path) -> None:
    copy = copy_model(model, tmp_path)
    with pytest.raises(UndegradeError, match=r"device: cuda; it needs tiny\.safetensors beside"):
        choose(copy, device="cuda")


def copy_model(model: Path, folder: Path) -> Path:
    for path in (model, model.with_suffix(".bin")):
        shutil.copy(path, folder)
    return folder / model.name


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda xml: xml.unlink(), "tiny.xml: no such file; a model is"),
        (lambda xml: xml.with_suffix(".bin").unlink(), "tiny.bin: no such file; a model is"),
        (lambda xml: xml.write_text("not xml"), "tiny.xml: the model is damaged"),
        (lambda xml: xml.write_bytes(xml.read_bytes()[:5000]), "tiny.xml: the model is damaged"),
        (lambda xml: xml.with_suffix(".bin").write_bytes(b""), "tiny.xml: the model is damaged"),
        (lambda xml: xml.write_text(xml.read_text().replace("undegrade", "another")), "no undegrade header"),
        (lambda xml: xml.write_text(xml.read_text().replace("version&quot;: 2", "version&quot;: 9")), "version 9"),
    ],
)
def test_a_damaged_model_is_one_line(
    model: Path, tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    copy = copy_model(model, tmp_path)
    spoil(copy)
    with pytest.raises(UndegradeError, match=message) as caught:
        OpenVinoBackend(copy)
    assert "\n" not in str(caught.value)


def test_a_flipped_bit_in_the_weights_is_noticed(model: Path, tmp_path: Path) -> None:
    copy = copy_model(model, tmp_path)
    weights = bytearray(copy.with_suffix(".bin").read_bytes())
    weights[len(weights) // 2] ^= 4
    copy.with_suffix(".bin").write_bytes(weights)
    with pytest.raises(UndegradeError, match=r"damaged, or its .bin is another model's"):
        OpenVinoBackend(copy)


def test_a_checkpoint_without_torch_says_what_to_install(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "undegrade.networks.checkpoint")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(UndegradeError, match=r"needs the extra train .*pip install 'undegrade\[train\]'"):
        TorchBackend(checkpoint)


@pytest.mark.slow
def test_dropping_two_models_leaves_signals_working(model: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from undegrade.inference.openvino import OpenVinoBackend\n"
        "first, second = (OpenVinoBackend(Path(sys.argv[1])) for _ in range(2))\n"
        "del first\n"
        "del second\n"
        "signal.signal(signal.SIGINT, lambda *_: print('caught'))\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(model)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "caught\n")
