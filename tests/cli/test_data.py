import json
from pathlib import Path

import numpy as np
import pytest

from undegrade.cli import main
from undegrade.images import Picture, write_picture


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Three pairs, no two pictures alike."""
    rng = np.random.default_rng(0)
    for half in ("input", "target"):
        (tmp_path / "set" / half).mkdir(parents=True)
        for number in range(3):
            pixels = rng.random((3, 12, 16), dtype=np.float32)
            write_picture(Picture(pixels=pixels), tmp_path / "set" / half / f"{number}.png")
    return tmp_path / "set"


@pytest.mark.parametrize("verb", ["check", "pack", "shard"])
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", verb, "--help"]) == 0
    assert f"undegrade data {verb}" in capsys.readouterr().out


def test_a_sound_set_is_code_0(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(pairs)]) == 0
    report, errors = capsys.readouterr()
    assert "layout input_target, 6 files" in report
    assert "16 x 12" in report
    assert report.endswith("nothing is wrong\n")
    assert errors == ""


def test_what_is_wrong_is_code_1_and_listed(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pairs / "target" / "0.png").unlink()
    broken = pairs / "input" / "1.png"
    broken.write_bytes(broken.read_bytes()[:100])
    assert main(["data", "check", str(pairs)]) == 1
    report = capsys.readouterr().out
    assert "degraded pictures without a clean one: 1\n  input/0.png: no clean picture" in report
    assert "files that cannot be decoded: 1\n  input/1.png: the PNG file is cut short" in report
    assert "nothing is wrong" not in report
    assert main(["data", "check", str(pairs), "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert (record["sound"], record["layout"], record["pictures"]) == (False, "input_target", 5)
    assert [problem["kind"] for problem in record["problems"]] == ["unreadable", "unpaired"]


def test_a_long_list_is_cut_for_people(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = (pairs / "input" / "0.png").read_bytes()
    for number in range(30):
        (pairs / "input" / f"more{number}.png").write_bytes(data)
    assert main(["data", "check", str(pairs)]) == 1
    assert "degraded pictures without a clean one: 30\n" in (report := capsys.readouterr().out)
    assert "and 20 more; --json lists all" in report
    assert main(["data", "check", str(pairs), "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["problems"]) == 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent"], "absent: no such folder"),
        (["set", "--layout", "lol"], "no pairs by the layout lol; looked for low/{path}"),
        (["set", "--layout", "nonsense"], "unknown layout 'nonsense'; known are input_target"),
    ],
)
def test_what_cannot_be_checked_is_code_2(
    arguments: list[str],
    message: str,
    pairs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(pairs.parent)
    assert main(["data", "check", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("made", "what"), [("pack", "a pack"), ("shard", "a folder of shards")])
def test_what_was_made_is_not_made_again(
    made: str, what: str, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", made, str(pairs), "-o", str(tmp_path / "made")]) == 0
    for verb in (["check"], ["pack", "-o", str(tmp_path / "x")], ["shard", "-o", str(tmp_path / "x")]):
        assert main(["data", verb[0], str(tmp_path / "made"), *verb[1:]]) == 2
        assert f"made: {what}; expected picture files" in capsys.readouterr().err
