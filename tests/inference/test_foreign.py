"""Weights of networks that undegrade has not; the tests with spandrel itself run where it is installed."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.inference.backends import open_backend
from undegrade.inference.extras import MissingExtra
from undegrade.networks import NAFNet

Scene = Callable[[int, int], NDArray[np.float32]]


def test_without_spandrel_it_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"model.0.weight": torch.zeros(2)}, tmp_path / "dncnn.pth")
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(MissingExtra, match=r"dncnn\.pth: .*it needs the extra spandrel .*pip install 'undegrade\[sp"):
        open_backend(tmp_path / "dncnn.pth")


def test_what_undegrade_knows_is_to_be_imported(tmp_path: Path) -> None:
    weights = NAFNet(NAFNet.Config(width=8, encoder=(1,), decoder=(1,))).state_dict()
    torch.save({"params": {f"module.{key}": value for key, value in weights.items()}}, tmp_path / "naf.pth")
    with pytest.raises(
        UndegradeError, match=r"naf\.pth: NAFNet \(original\), .*: run undegrade import .*naf\.pth first"
    ):
        open_backend(tmp_path / "naf.pth")


def dncnn(channels: int) -> torch.nn.Module:
    kind = pytest.importorskip("spandrel.architectures.DnCNN", reason="the extra spandrel is not installed").DnCNN
    torch.manual_seed(0)
    return kind(in_nc=channels, out_nc=channels, nc=16, nb=5).eval()


def test_with_spandrel_the_network_runs(tmp_path: Path, scene: Scene) -> None:
    network, path = dncnn(3), tmp_path / "dncnn.pth"
    torch.save({"params": network.state_dict()}, path)
    backend, image = open_backend(path), scene(37, 50)
    assert (backend.name, backend.labels) == ("dncnn.pth, DnCNN by spandrel f32", ())
    picture, logits = backend.run(image)
    with torch.no_grad():
        expected = network(torch.from_numpy(image)[None])[0].clamp(0, 1).numpy()
    np.testing.assert_allclose(picture, expected, atol=1e-6)
    assert np.abs(picture - image).max() > 1e-3
    assert logits.shape == (0,)


class Intruder:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_with_spandrel_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    files = {
        "gray.pth": (dncnn(1).state_dict(), "DnCNN, which spandrel knows, enlarges 1 times, from 1 channels to 1"),
        "linear.pth": (torch.nn.Linear(2, 2).state_dict(), "that neither undegrade nor spandrel knows"),
        "evil.pth": (Intruder(tmp_path / "executed"), "never executes pickled code"),
    }
    for name, (held, message) in files.items():
        torch.save(held, tmp_path / name)
        with pytest.raises(UndegradeError, match=rf"{name}: .*{message}"):
            open_backend(tmp_path / name)
    assert not (tmp_path / "executed").exists()
