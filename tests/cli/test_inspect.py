import json
from pathlib import Path

import pytest
import torch

from undegrade.cli import main
from undegrade.inference.models import DEFAULT_MODEL, MODELS
from undegrade.networks import NAFNet, UniversalRestorer
from undegrade.networks.checkpoint import save_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("inspect") / "tiny.safetensors"
    save_checkpoint(UniversalRestorer(NAFNet(NAFNet.Config(width=4, encoder=(1,), decoder=(1,))), None, ()), path)
    return path


def test_tables_and_a_page(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(checkpoint), "--side", "32", "--html", str(tmp_path / "tiny.html")]) == 0
    printed = capsys.readouterr().out
    assert "multiply-adds at 32 x 32" in printed
    assert "network.intro" in printed
    assert "tiny, inspected" in (tmp_path / "tiny.html").read_text(encoding="utf-8")


def test_json_has_every_layer(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(checkpoint), "--side", "32", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["network"], found["side"]) == ("tiny", "NAFNet", 32)
    assert found["field"] == "whole picture"
    assert sum(layer["parameters"] for layer in found["layers"]) == found["parameters"]
    intro = next(layer for layer in found["layers"] if layer["name"] == "network.intro")
    assert (intro["parameters"], intro["macs"]) == (4 * 27 + 4, 4 * 27 * 32 * 32)
    assert {"sparse_share", "degenerate_share", "mean_entropy", "rank_share", "reach", "filters"} <= set(found)


def test_the_verb_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--help"]) == 0
    assert "undegrade inspect" in capsys.readouterr().out


@pytest.mark.slow
def test_the_shipped_model_is_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", DEFAULT_MODEL, "--side", "32", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == MODELS[DEFAULT_MODEL].stem
    assert found["parameters"] > 1e6
    assert found["sparse_share"] < 0.01


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.xml", "give the checkpoint that it was exported from, model.safetensors"),
        ("model.onnx", "give the checkpoint that it was exported from, model.safetensors"),
        ("model.pth", "expected a .safetensors file; make one by undegrade import"),
        ("model.safetensors", "not a readable checkpoint"),
        ("model.txt", "unknown model"),
    ],
)
def test_other_files_are_refused(name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(b"no model")
    assert main(["inspect", str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_file_and_a_wrong_ending_are_refused(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "nowhere.safetensors"]) == 2
    assert "no such model file" in capsys.readouterr().err
    assert main(["inspect", str(checkpoint), "--html", "page.pdf"]) == 2
    assert "page.pdf: unknown ending '.pdf'; expected .html" in capsys.readouterr().err
    assert main(["inspect", str(checkpoint), "--side", "3"]) == 2
