from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from undegrade.degradations import DEGRADATIONS
from undegrade.errors import UndegradeError
from undegrade.evaluation.peers import BEST, PEERS, find_peer
from undegrade.metrics import psnr


@pytest.fixture
def hill() -> np.ndarray:
    """A landscape: light above, dark and coloured below, with edges."""
    down, across = np.mgrid[0:128, 0:160].astype(np.float32)
    shape = np.where(down > 60 + 20 * np.sin(across / 15), 0.15, 0.75) + 0.1 * np.sin(across / 9) * (down > 80)
    return np.clip(np.stack([shape, shape * 0.8 + 0.02, shape * 0.55]), 0.02, 0.98).astype(np.float32)


def spoiled(clean: np.ndarray, kind: str, seed: int = 0) -> np.ndarray:
    step = DEGRADATIONS[kind]()
    return step.degrade(torch.from_numpy(clean), torch.Generator().manual_seed(seed), step.middle()).numpy()


@pytest.mark.parametrize("name", PEERS)
def test_each_gives_a_picture_of_the_same_size_and_leaves_its_input(name: str, hill: np.ndarray) -> None:
    odd = hill[:, :61, :77].copy()
    odd[0, 0, 0] = 1.2  # as unclipped noise has
    before = odd.copy()
    one, other = (PEERS[name].restore(odd, "noise") for _ in range(2))
    assert one.dtype == np.float32
    assert one.shape == odd.shape
    assert np.isfinite(one).all()
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(odd, before)
    assert PEERS[name].about


@pytest.mark.parametrize(("kind", "least"), [("noise", 5), ("haze", 2), ("low_light", 2), ("defocus_blur", 0.3)])
def test_the_classical_one_helps_against_what_it_is_told(kind: str, least: float, hill: np.ndarray) -> None:
    degraded = spoiled(hill, kind)
    gain = psnr(PEERS["classical"].restore(degraded, kind), hill) - psnr(degraded, hill)
    assert gain > least
    assert kind in PEERS[BEST[kind]].kinds


@pytest.mark.parametrize("kind", [None, "clean", "rain"])
def test_it_leaves_alone_what_it_knows_nothing_for(kind: str | None, hill: np.ndarray) -> None:
    np.testing.assert_array_equal(PEERS["classical"].restore(hill, kind), hill)


def onnx_file(path: Path, shape: list[object], name: str = "Identity") -> Path:
    one, other = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("x", "y"))
    graph = helper.make_graph([helper.make_node(name, ["x"], ["y"])], "g", [one], [other])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def test_any_onnx_file_is_a_peer(tmp_path: Path, hill: np.ndarray) -> None:
    peer = find_peer(f"peer:onnx={onnx_file(tmp_path / 'x.onnx', [1, 3, 'h', 'w'], 'Neg')}")
    np.testing.assert_array_equal(peer.restore(hill[:, :50, :70], None), -hill[:, :50, :70])


def test_what_cannot_be_run_is_named(tmp_path: Path, hill: np.ndarray) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    onnx_file(tmp_path / "flat.onnx", ["n"])
    for text, message in (
        ("peer:magic", "no such peer; known are nlm, bilateral"),
        (f"peer:onnx={tmp_path / 'none.onnx'}", r"none\.onnx: no such file"),
        (f"peer:onnx={tmp_path / 'text.onnx'}", r"text\.onnx: is no ONNX model"),
        (
            f"peer:onnx={tmp_path / 'flat.onnx'}",
            r"takes x tensor\(float\) \['n'\]; expected one float",
        ),
    ):
        with pytest.raises(UndegradeError, match=message):
            find_peer(text)
    fixed = find_peer(f"peer:onnx={onnx_file(tmp_path / 'fixed.onnx', [1, 3, 64, 64])}")
    with pytest.raises(UndegradeError, match="takes pictures of 64 x 64 alone, not 160 x 128"):
        fixed.restore(hill, None)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(UndegradeError, match=r"pip install 'undegrade\[peers\]'"):
        find_peer("peer:nlm")
