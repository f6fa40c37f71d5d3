import json
from pathlib import Path

import pytest

from undegrade.cli import main


def test_the_table_says_what_is_wrong_and_nothing_is_written(
    model: Path, photo_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", str(photo_file), "--model", str(model)]) == 0
    captured = capsys.readouterr()
    assert "rain streaks" in captured.out
    assert captured.err == ""
    assert list(photo_file.parent.iterdir()) == [photo_file]


def test_json_and_failures(contented_model: Path, photo_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = photo_file.with_name("nope.png")
    assert main(["diagnose", str(missing), str(photo_file), "--model", str(contented_model), "--json"]) == 1
    captured = capsys.readouterr()
    first, second = json.loads(captured.out)
    assert first == {"input": str(missing), "error": f"{missing}: no such file; check the name"}
    assert second["label"] == "clean"
    assert second["sentence"] == "nothing wrong that I know of: left alone"
    assert list(second["probabilities"].values()) == sorted(second["probabilities"].values(), reverse=True)
    assert captured.err.count("\n") == 1
