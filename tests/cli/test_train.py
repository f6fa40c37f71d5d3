import json
from pathlib import Path

import numpy as np
import pytest

from undegrade.batch import CLEAN
from undegrade.cli import main
from undegrade.cli import train as train_file
from undegrade.cli.train import _as_text
from undegrade.errors import UndegradeError
from undegrade.images import Picture, write_picture
from undegrade.networks.checkpoint import load_checkpoint, read_header
from undegrade.training.processes import OwnError


@pytest.mark.parametrize(
    ("text", "function", "message"),
    [
        ("def recipe(:", "recipe", "cannot be run (SyntaxError"),
        ("def recipe():\n    return 1 / 0", "recipe", "cannot be run (ZeroDivisionError"),
        ("def recipe():\n    return 5", "recipe", "'recipe' is no function that returns a Recipe"),
        ("def recipe():\n    return 5", "other", "'other' is no function that returns a Recipe"),
    ],
)
def test_a_recipe_of_ones_own_that_fails_is_one_line(
    text: str, function: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    assert main(["train", f"{path}:{function}", "--clean", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_recipe_that_goes_on_from_a_model_has_to_be_given_it(
    photo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo_file.with_name("other.png").write_bytes(photo_file.read_bytes())
    run = ["--clean", str(photo_file.parent), "--set", "holdout=2", "--out", str(tmp_path / "run")]
    assert main(["train", "release-quality", *run]) == 2
    error = capsys.readouterr().err
    assert "error: release-quality begins with the weights of default; give them: --start default\n" in error
    assert main(["train", "release-quality", *run, "--start", "universal-small"]) == 2
    error = capsys.readouterr().err
    assert "universal-small.safetensors: holds a NAFNet; the recipe trains a GuidedCascade, choose another" in error
    assert not (tmp_path / "run").exists()


def test_a_damaged_photo_is_one_line(
    photo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is met by the process that makes the data."""
    photo_file.with_name("broken.png").write_bytes(photo_file.read_bytes()[:300])
    for workers in ("0", "1"):
        arguments = ["train", "universal-small-debug", "--clean", str(photo_file.parent), "--set", "holdout=2"]
        run = ["--out", str(tmp_path / f"run{workers}"), "--workers", workers]
        assert main([*arguments, *run]) == 2
        error = capsys.readouterr().err
        assert error.count("broken.png: the PNG file is cut short") == 1
        assert "Traceback" not in error


def test_a_damaged_record_of_the_run_is_named(
    photo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.json").write_text('{"name": ')
    arguments = ["train", "universal-small-debug", "--clean", str(photo_file.parent), "--set", "holdout=0"]
    assert main([*arguments, "--out", str(tmp_path / "run"), "--resume"]) == 2
    assert "recipe.json: damaged" in capsys.readouterr().err


PAIRS_ONLY = """
from dataclasses import replace

from undegrade.data.mixture import MixtureConfig
from undegrade.degradations import parse
from undegrade.recipes import RECIPES


def pairs():
    recipe = RECIPES["universal-small-debug"]()
    stage = replace(recipe.stages[1], steps=2, batch=2, crop=16)
    mixture = MixtureConfig(pairs=("haze", "haze_rain"), clean_class=False)
    return replace(recipe, name="pairs", mixture=mixture, stages=(stage,), holdout=3)


def mixed():
    recipe = pairs()
    return replace(recipe, mixture=MixtureConfig(degradations=(parse("noise"),), pairs=("haze",)))
"""


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """A recipe of pairs, and two sets of three."""
    (tmp_path / "mine.py").write_text(PAIRS_ONLY)
    rng = np.random.default_rng(0)
    for folder in ("reside/hazy", "reside/clear", "cdd/haze_rain", "cdd/clear"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(3):
            pixels = rng.random((3, 20, 24), dtype=np.float32)
            write_picture(Picture(pixels=pixels), tmp_path / folder / f"{number}.png")
    return tmp_path


@pytest.mark.slow
def test_a_recipe_is_trained_on_pairs_alone_and_resumed_where_they_lie_now(
    sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNDEGRADE_DATA", raising=False)
    monkeypatch.chdir(sets)
    command = ["train", "mine.py:pairs", "--out", "run", "--workers", "0", "--pairs"]
    assert main([*command, "haze=reside", "--pairs", "cdd:cdd11"]) == 0
    assert load_checkpoint(sets / "run" / "checkpoint.safetensors").labels == ("haze", "haze_rain")
    assert "reside" not in (sets / "run" / "recipe.json").read_text()
    assert "reside" not in json.dumps(read_header(sets / "run" / "checkpoint.safetensors"))
    places = {
        "haze": {"folder": str(sets / "reside"), "layout": None},
        "haze_rain": {"folder": str(sets / "cdd"), "layout": "cdd11"},
    }
    assert json.loads((sets / "run" / "data.json").read_text()) == {"clean": None, "pairs": places}
    (sets / "reside").rename(sets / "moved")
    (sets / "run" / "state.pt").unlink()
    assert main([*command, "haze=moved:reside", "--pairs", "haze_rain=cdd", "--resume"]) == 0
    assert json.loads((sets / "run" / "data.json").read_text())["pairs"]["haze"]["folder"] == str(sets / "moved")


@pytest.mark.slow
def test_pairs_are_mixed_with_what_is_generated(sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sets)
    command = ["train", "mine.py:mixed", "--clean", "cdd/clear", "--pairs", "haze=reside", "--out", "run"]
    assert main([*command, "--workers", "1"]) == 0
    assert load_checkpoint(sets / "run" / "checkpoint.safetensors").labels == (CLEAN, "noise", "haze")
    assert json.loads((sets / "run" / "data.json").read_text())["clean"] == str(sets / "cdd" / "clear")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine.py:pairs", "--pairs", "haze=reside"], "no pairs for haze_rain; add --pairs haze_rain=DIR"),
        (
            ["universal-small-debug", "--pairs", "haze=reside"],
            "nothing takes pairs of 'haze'; the recipe takes no pairs",
        ),
        (["mine.py:mixed", "--pairs", "haze=absent", "--clean", "cdd/clear"], "absent: no such folder"),
        (["mine.py:mixed", "--pairs", "haze=reside/hazy", "--clean", "cdd/clear"], "no pairs of degraded and clean"),
        (["mine.py:mixed", "--pairs", "haze=reside", "--clean", "cdd"], "cdd: holds pairs; expected clean pictures"),
        (["mine.py:mixed", "--pairs", "haze=reside"], "no clean photographs: give --clean DIR"),
    ],
)
def test_data_that_do_not_fit_the_recipe_are_one_line(
    arguments: list[str],
    message: str,
    sets: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("UNDEGRADE_DATA", raising=False)
    monkeypatch.chdir(sets)
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (sets / "runs").exists()


@pytest.mark.slow
def test_a_model_that_names_several_is_trained_and_used(
    photo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "generated-mixed-debug", "--clean", str(photo_file.parent), "--set", "holdout=0"]
    assert main([*arguments, "--workers", "0", "--out", str(tmp_path / "run")]) == 0
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    header = read_header(checkpoint)
    assert header["multi_label"]
    assert header["labels"] == ["low_light", "haze", "rain", "snow"]
    assert main(["export", str(checkpoint), "-o", str(tmp_path / "m.xml")]) == 0
    capsys.readouterr()
    for model in (checkpoint, tmp_path / "m.xml"):
        assert main(["diagnose", str(photo_file), "--model", str(model), "--json"]) == 0
        (record,) = json.loads(capsys.readouterr().out)
        assert set(record["probabilities"]) == set(header["labels"])
        assert record["present"] == [label for label, p in record["probabilities"].items() if p >= 0.5]
        out = tmp_path / f"{model.suffix[1:]}.png"
        assert main(["restore", str(photo_file), "--model", str(model), "-o", str(out)]) == 0
        capsys.readouterr()
        assert out.exists()


@pytest.mark.parametrize(
    ("rank", "kind", "said"),
    [("0", UndegradeError, 1), ("1", UndegradeError, 0), ("0", OwnError, 1), ("1", OwnError, 1)],
)
def test_of_several_processes_the_first_speaks_for_all_but_each_for_what_it_met_alone(
    rank: str,
    kind: type[UndegradeError],
    said: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(name: str) -> None:
        raise kind("b.png: damaged")

    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr(train_file, "QUIET", 0)
    monkeypatch.setattr(train_file, "make_recipe", fail)
    assert main(["train", "universal-small-debug"]) == 2
    assert capsys.readouterr().err.count("error: b.png: damaged") == said


def test_a_line_of_the_log_says_what_is_waited_for() -> None:
    line = {"stage": 0, "step": 50, "loss": 0.25}
    assert _as_text(line) == "stage 0  step 50  loss 0.25"
    assert _as_text({**line, "data_wait": 0.1}).endswith("loss 0.25  compute-bound (10% waiting for data)")
    assert _as_text({**line, "data_wait": 0.9}).endswith("loss 0.25  data-bound (90% waiting for data)")
