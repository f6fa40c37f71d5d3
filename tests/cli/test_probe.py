import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from undegrade.cli import main
from undegrade.images import Picture, write_picture
from undegrade.networks.checkpoint import save_checkpoint
from undegrade.recipes import RECIPES
from undegrade.training.run import build


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints and six photographs."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "photos").mkdir()
    for number in range(6):
        coarse = np.random.default_rng(number).random((3, 9, 9), np.float32)
        write_picture(Picture(pixels=coarse.repeat(16, 1).repeat(16, 2)), folder / "photos" / f"{number}.png")
    for seed in (0, 1):
        torch.manual_seed(seed)
        (folder / str(seed)).mkdir()
        save_checkpoint(build(RECIPES["generated-5d-debug"]()), folder / str(seed) / "checkpoint.safetensors")
    return folder


@pytest.mark.slow
def test_models_are_probed_side_by_side(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    given = ["0/checkpoint.safetensors", "1/checkpoint.safetensors", "--data", "photos", "--fresh"]
    given += ["--degradation", "noise(sigma=50)", "--degradation", "low_light(stops=3)"]
    assert main(["probe", *given, "-o", "t.png", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["labels"] == ["clean", "noise", "low_light"]
    assert found["photographs"] == 6
    assert [model["model"] for model in found["models"]] == ["random weights", "0/checkpoint", "1/checkpoint"]
    assert all(0 <= model[key] <= 1 for model in found["models"] for key in ("knn", "linear"))
    assert (place / "t.png").stat().st_size > 5000
    assert main(["probe", *given]) == 0
    assert "0/checkpoint" in capsys.readouterr().out


def test_too_few_photographs_are_refused(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_picture(Picture(pixels=np.zeros((3, 20, 20), np.float32)), tmp_path / "a.png")
    assert main(["probe", str(place / "0" / "checkpoint.safetensors"), "--data", str(tmp_path)]) == 2
    assert "1 photographs; expected at least 6" in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert main(["probe", str(place / "0" / "checkpoint.safetensors"), "--data", str(place / "photos")]) == 2
    assert "needs the extra probe (sklearn is not installed): pip install 'undegrade[probe]'" in capsys.readouterr().err
