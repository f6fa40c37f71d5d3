import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import undegrade
from undegrade.cli import main
from undegrade.errors import UndegradeError
from undegrade.images import read_picture
from undegrade.networks import NAFNet, Restormer, SwinIR
from undegrade.networks.checkpoint import load_checkpoint, read_header

Capture = pytest.CaptureFixture[str]

SWINIR = SwinIR.Config(width=12, depths=(1,) * 6, heads=(2,) * 6)


def shaken(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights that change every picture a little."""
    rng = torch.Generator().manual_seed(0)
    return {k: v + 0.03 * torch.randn(v.shape, generator=rng) for k, v in network.state_dict().items()}


@pytest.fixture
def nafnet_file(tmp_path: Path) -> Path:
    """NAFNet of width 8 as DCPT writes it."""
    weights = shaken(NAFNet(NAFNet.Config(width=8, encoder=(1, 1), decoder=(1, 1))))
    path = tmp_path / "published" / "dcpt.pth"
    path.parent.mkdir()
    torch.save({"params_ema": {k.replace("decoders.", "decoder"): v for k, v in weights.items()}}, path)
    return path


@pytest.fixture
def swinir_file(tmp_path: Path) -> Path:
    """SwinIR as DCPT writes it, which does not tell its heads."""
    weights = {}
    for key, value in shaken(SwinIR(SWINIR)).items():
        for stage in range(6):
            name = f"encode_layers.{stage}." if stage < 3 else f"decode_layers{stage - 3}."
            key = key.replace(f"layers.{stage}.", name) if key.startswith(f"layers.{stage}.") else key
        weights[key] = value
    torch.save(weights, tmp_path / "swinir.pth")
    return tmp_path / "swinir.pth"


def test_it_says_what_it_found_and_the_model_restores(
    nafnet_file: Path, photo_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    before, model = nafnet_file.read_bytes(), tmp_path / "model.safetensors"
    assert main(["import", str(nafnet_file), "-o", str(model), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["layout"] == "NAFNet (DCPT)"
    assert record["config"] == {"width": 8, "encoder": [1, 1], "decoder": [1, 1]}
    assert record["assumed"] == {"local_size": 0}
    assert record["wrapping"] == ["params_ema"]
    assert record["averaged"] is True
    assert record["parameters"] == sum(p.numel() for p in load_checkpoint(model).network.parameters())
    assert record["classifier"] is None
    assert record["restores"] == "RGB pictures of any size"
    assert nafnet_file.read_bytes() == before
    assert list(nafnet_file.parent.iterdir()) == [nafnet_file]
    assert read_header(model)["recipe"]["layout"] == "NAFNet (DCPT)"

    assert main(["restore", str(photo_file), "--model", str(model), "-o", str(tmp_path / "out.png"), "--json"]) == 0
    restored = json.loads(capsys.readouterr().out)
    assert restored["changed"] is True
    assert restored["diagnosis"] is None
    given = read_picture(photo_file).pixels
    with torch.no_grad():
        expected = load_checkpoint(model)(torch.from_numpy(np.pad(given, ((0, 0), (0, 3), (0, 2)), "reflect"))[None])[0]
    repaired = read_picture(tmp_path / "out.png").pixels
    assert np.abs(repaired - expected[0, :, :45, :70].clamp(0, 1).numpy()).max() < 0.5 / 255 + 1e-5
    assert np.abs(repaired - given).max() > 2 / 255


def test_the_table_and_the_sheet_are_for_people(
    nafnet_file: Path, photo_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["import", str(nafnet_file)]) == 0
    table = capsys.readouterr().out
    assert "NAFNet (DCPT)" in table
    assert "width=8, encoder=(1, 1), decoder=(1, 1)" in table
    model = nafnet_file.with_suffix(".safetensors")  # beside it, without -o
    sheet = tmp_path / "sheet.png"
    assert main(["restore", str(photo_file), "--model", str(model), "--sheet", str(sheet)]) == 0
    assert "not named by this model" in capsys.readouterr().out
    assert sheet.is_file()


def test_what_names_nothing_cannot_diagnose(
    nafnet_file: Path, photo_file: Path, scene: Callable[[int, int], NDArray[np.float32]], capsys: Capture
) -> None:
    assert main(["import", str(nafnet_file)]) == 0
    model = nafnet_file.with_suffix(".safetensors")
    capsys.readouterr()
    assert main(["diagnose", str(photo_file), "--model", str(model)]) == 1
    assert "dcpt.safetensors, PyTorch f32: the model has no classifier and cannot say what" in capsys.readouterr().err
    result = undegrade.restore(scene(40, 50).transpose(1, 2, 0), model)
    assert result.diagnosis is None
    assert result.changed
    with pytest.raises(UndegradeError, match="has no classifier"):
        undegrade.diagnose(scene(40, 50).transpose(1, 2, 0), model)


@pytest.mark.slow
def test_what_names_nothing_is_exported_and_evaluated(
    nafnet_file: Path, photo_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["import", str(nafnet_file)]) == 0
    checkpoint = nafnet_file.with_suffix(".safetensors")
    assert main(["export", str(checkpoint), "-o", str(tmp_path / "m.xml")]) == 0
    outputs = []
    for number, model in enumerate((checkpoint, tmp_path / "m.xml")):
        out = tmp_path / f"{number}.png"
        assert main(["restore", str(photo_file), "--model", str(model), "-o", str(out)]) == 0
        outputs.append(read_picture(out).pixels)
    difference = np.abs(outputs[0] - outputs[1])  # the second in bf16 where the CPU has it, whose rounding varies
    assert difference.mean() < 0.5 / 255
    assert difference.max() < 8 / 255
    capsys.readouterr()
    assert main(["evaluate", "--data", str(photo_file.parent), "--model", str(checkpoint), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["runs"][0]["rows"]
    assert len(rows) > 1
    assert all(row["named"] is None for row in rows)
    assert main(["evaluate", "--data", str(photo_file.parent), "--model", str(checkpoint)]) == 0
    assert "mean" in capsys.readouterr().out


def test_what_the_file_cannot_tell_is_asked_for(swinir_file: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "model.safetensors"
    assert main(["import", str(swinir_file), "-o", str(out)]) == 2
    message = capsys.readouterr().err
    assert (
        "swinir.pth: SwinIR (DCPT, MaskDCPT); the file does not tell heads; add, for example, --set heads=6," in message
    )
    assert not out.exists()
    settings = ["--set", "heads=(2,2,2,2,2,2)", "--set", "window=4"]
    assert main(["import", str(swinir_file), "-o", str(out), *settings, "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["set"] == {"heads": [2] * 6, "window": 4}
    assert record["assumed"] == {"image_range": 1.0}
    assert load_checkpoint(out).network.config == SwinIR.Config(width=12, depths=(1,) * 6, heads=(2,) * 6, window=4)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("heads", "expected KEY=VALUE"),
        ("heads=5,5,5,5,5,5", "width is 12; it must be a multiple of each of heads"),
        ("heads=2", "expected tuple"),
        ("tails=2", "no field 'tails'; known here are width, depths, heads"),
    ],
)
def test_settings_are_checked(setting: str, message: str, swinir_file: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["import", str(swinir_file), "-o", str(tmp_path / "m.safetensors"), "--set", setting]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "m.safetensors").exists()


def test_nothing_is_replaced_unasked_and_never_the_file_itself(
    nafnet_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "model.safetensors"
    out.write_text("precious")
    assert main(["import", str(nafnet_file), "-o", str(out)]) == 2
    assert f"{out}: exists already; choose another name with -o, or add --force" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert main(["import", str(nafnet_file), "-o", str(out), "--force"]) == 0
    assert load_checkpoint(out).labels == ()
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(b"weights")
    assert main(["import", str(foreign), "--force"]) == 2
    assert "would overwrite the file that is imported" in capsys.readouterr().err
    assert foreign.read_bytes() == b"weights"
    assert main(["import", str(nafnet_file), "-o", str(tmp_path / "model.txt")]) == 2
    assert "model.txt: unknown ending '.txt'; expected .safetensors" in capsys.readouterr().err


def test_a_full_disk_or_no_folder_leaves_nothing(
    nafnet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert main(["import", str(nafnet_file), "-o", str(tmp_path / "nowhere" / "m.safetensors")]) == 2
    assert "m.safetensors: cannot be written (No such file or directory)" in capsys.readouterr().err

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", full)
    folder = tmp_path / "full"
    folder.mkdir()
    assert main(["import", str(nafnet_file), "-o", str(folder)]) == 2
    assert "dcpt.safetensors: cannot be written (No space left on device)" in capsys.readouterr().err
    assert not list(folder.iterdir())


class Intruder:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_what_is_wrong_is_one_line_and_code_2(nafnet_file: Path, tmp_path: Path, capsys: Capture) -> None:
    torch.save({"params": Intruder(tmp_path / "executed")}, tmp_path / "evil.pth")
    torch.save({f"features.{i}.weight": torch.zeros(1) for i in range(3)}, tmp_path / "vgg.pth")
    (tmp_path / "cut.pth").write_bytes(nafnet_file.read_bytes()[:3000])
    lacking = torch.load(nafnet_file, weights_only=True)["params_ema"]
    del lacking["ending.bias"]
    torch.save(lacking, tmp_path / "lacking.pth")
    for name, message in (
        ("evil", "undegrade never executes pickled code"),
        ("vgg", "weights of a network that undegrade does not know (they begin with features.0.weight"),
        ("cut", "not a readable checkpoint, damaged or of another kind"),
        ("lacking", "looks like NAFNet (DCPT), but keys are missing: ending.bias"),
        ("absent", "no such file"),
    ):
        path = tmp_path / f"{name}.pth"
        assert main(["import", str(path)]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith(f"error: {path}: ")
        assert message in captured.err
        assert captured.err.count("\n") == 1
    assert not (tmp_path / "executed").exists()
    assert not list(tmp_path.glob("*.safetensors"))


def test_what_restore_does_not_know_is_imported_and_then_refused_by_name(
    tmp_path: Path, photo_file: Path, capsys: Capture
) -> None:
    small = SwinIR.Config(width=12, depths=(1,), heads=(2,), relative_positions=True)
    from dataclasses import replace

    for network, obstacle in (
        (SwinIR(replace(small, head="pixelshuffle", scale=2)), "enlarges pictures 2 times"),
        (SwinIR(replace(small, in_channels=1)), "takes gray pictures"),
        (
            Restormer(Restormer.Config(width=8, blocks=(1,) * 4, refinement=1, dual_pixel=True)),
            "takes pairs of two views",
        ),
    ):
        path, model = tmp_path / "x.pth", tmp_path / "x.safetensors"
        torch.save(network.state_dict(), path)
        assert main(["import", str(path), "--force", "--json"]) == 0
        (record,) = json.loads(capsys.readouterr().out)
        assert record["restores"].startswith("nothing yet: its network")
        assert obstacle in record["restores"]
        for verb in (["restore", str(photo_file), "--model", str(model)], ["export", str(model)]):
            assert main(verb) == 2
            captured = capsys.readouterr()
            assert f"x.safetensors: its network {obstacle}" in captured.err
            assert captured.err.count("\n") == 1


def test_a_classifier_with_labels_names_and_leaves_alone(
    nafnet_file: Path, photo_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    from undegrade.networks import DegradationClassifier

    head = DegradationClassifier(DegradationClassifier.Config(), (16, 8), 2).state_dict()
    head["fc.bias"] = torch.tensor([9.0, -9.0])
    torch.save({"params": head}, tmp_path / "head.pth")
    out = tmp_path / "m.safetensors"
    command = ["import", str(nafnet_file), "-o", str(out), "--classifier", str(tmp_path / "head.pth"), "--force"]
    assert main([*command, "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["classifier"] == "left out: 2 classes, name them with --labels"
    assert main([*command, "--labels", "clean, rain", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["classifier"] == ["clean", "rain"]
    assert main(["diagnose", str(photo_file), "--model", str(out), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["label"] == "clean"
    assert main([*command, "--labels", "rain"]) == 2
    assert "1 labels; its classifier knows 2" in capsys.readouterr().err
