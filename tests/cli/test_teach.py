"""`undegrade calibrate` on a tiny model, and what then can be done with it: diagnose, teach, restore."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.cli import main
from undegrade.diagnosis.head import read_head
from undegrade.images import Picture, read_picture, write_picture

Capture = pytest.CaptureFixture[str]
Scene = Callable[[int, int], NDArray[np.float32]]


@pytest.fixture(scope="module")
def calibrated(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated")
    photos = folder / "photos"
    photos.mkdir()
    for number in range(22):
        coarse = np.random.default_rng(number).random((3, 8, 9)).astype(np.float32)
        write_picture(Picture(pixels=coarse.repeat(16, 1).repeat(16, 2)), photos / f"{number}.png")
    command = ["calibrate", str(checkpoint), "--clean", str(photos), "-o", str(folder / "m.safetensors")]
    assert main([*command, "--steps", "2", "--specimens", "24", "--workers", "1", "--json"]) == 0
    return folder / "m.xml"


@pytest.mark.slow
def test_a_model_is_calibrated(calibrated: Path, checkpoint: Path) -> None:
    names = {path.name for path in calibrated.parent.iterdir()}
    assert names == {"photos", "m.safetensors", "m.xml", "m.bin", "m.diagnosis.npz"}
    head = read_head(calibrated.with_name("m.diagnosis.npz"))
    assert len(head.kinds) == 10
    assert len(head.familiar) > 10
    assert head.gain[0].shape[1] == len(head.centre)
    command = ["calibrate", str(checkpoint), "--clean", str(calibrated.parent / "photos"), "-o"]
    assert main([*command, str(checkpoint)]) == 2
    assert main([*command, str(checkpoint.with_suffix(".npz"))]) == 2


@pytest.mark.slow
def test_diagnose_says_how_badly_and_where(calibrated: Path, scene: Scene, tmp_path: Path, capsys: Capture) -> None:
    photo, drawn = tmp_path / "a.png", tmp_path / "map.png"
    write_picture(Picture(pixels=scene(120, 200)), photo)
    command = ["diagnose", str(photo), "--model", str(calibrated)]
    assert main([*command, "--json", "--map", str(drawn)]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert set(record["severities"]) == set(record["present"])
    assert record["strangeness"] >= 0
    assert read_picture(drawn).pixels.shape == (3, 120, 200)
    assert main([*command, "--map", str(drawn)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["diagnose", str(photo), str(drawn), "--model", str(calibrated), "--map", str(tmp_path / "b.png")]) == 2


@pytest.mark.slow
def test_only_skip_force_and_local(calibrated: Path, scene: Scene, tmp_path: Path, capsys: Capture) -> None:
    photo = tmp_path / "a.png"
    write_picture(Picture(pixels=scene(120, 200)), photo)
    command = ["restore", str(photo), "--model", str(calibrated), "--json", "--overwrite"]
    assert main([*command, "--force", "--only", "rain, noise"]) == 0
    (record,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [step["kind"] for step in record["repaired"]] == ["rain", "noise"]  # as they were named
    whole = read_picture(Path(record["output"])).pixels
    assert main([*command, "--force", "--only", "rain,noise", "--local"]) == 0
    assert not np.array_equal(read_picture(Path(record["output"])).pixels, whole)
    capsys.readouterr()
    assert main([*command, "--skip", "fog"]) == 2
    assert "skip: 'fog' is not known; the model repairs noise, jpeg" in capsys.readouterr().err


@pytest.mark.slow
def test_a_kind_is_taught_and_forgotten(
    calibrated: Path, model: Path, scene: Scene, tmp_path: Path, capsys: Capture
) -> None:
    for path in calibrated.parent.glob("m.*"):
        shutil.copy(path, tmp_path)
    own, examples = ["--model", str(tmp_path / "m.xml")], tmp_path / "examples"
    examples.mkdir()
    for number in range(2):
        write_picture(Picture(pixels=scene(64, 80)[:, :, ::-1].copy()), examples / f"{number}.png")
    assert main(["teach", "lens_flare", str(examples), *own, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"kind": "lens_flare", "examples": 2}]
    assert (tmp_path / "m.taught.npz").exists()
    assert main(["diagnose", str(examples / "0.png"), *own]) == 0
    for wrong, words in (
        (["noise", str(examples)], "expected a new name"),
        (["Flare", str(examples)], "expected a new name"),
        (["smear"], "no examples; give a folder"),
        (["smear", str(tmp_path / "none")], "none"),
        (["smear", "--remove"], "was not taught; taught are lens_flare"),
    ):
        assert main(["teach", *wrong, *own]) == 2
        assert words in capsys.readouterr().err
    assert main(["teach", "lens_flare", "--remove", *own]) == 0
    assert not (tmp_path / "m.taught.npz").exists()
    assert main(["teach", "lens_flare", str(examples), "--model", str(model)]) == 2
    assert "has no calibration beside it" in capsys.readouterr().err
