from pathlib import Path

import pytest

from undegrade.cli import main


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
