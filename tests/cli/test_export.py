import json
from pathlib import Path

import pytest

from undegrade.cli import main
from undegrade.inference.openvino import OpenVinoBackend

Capture = pytest.CaptureFixture[str]


@pytest.mark.slow
def test_a_checkpoint_becomes_a_model(checkpoint: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["export", str(checkpoint), "-o", str(tmp_path), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["output"] == str(tmp_path / "tiny.xml")
    assert record["bytes"] > 10_000
    assert OpenVinoBackend(tmp_path / "tiny.xml").labels[0] == "clean"


def test_a_checkpoint_that_does_not_fit_is_code_2(checkpoint: Path, tmp_path: Path, capsys: Capture) -> None:
    data = checkpoint.read_bytes()
    cases = {
        "hash": (data[:-1] + bytes([data[-1] ^ 1]), "do not match their recorded sha256"),
        "config": (data.replace(b'width\\": 8', b'width\\": 9'), "do not fit the recorded configuration"),
        "text": (b"no checkpoint", "not a readable checkpoint"),
    }
    for name, (content, message) in cases.items():
        bad = tmp_path / f"{name}.safetensors"
        bad.write_bytes(content)
        assert main(["export", str(bad)]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith(f"error: {bad}: ")
        assert message in captured.err
        assert captured.err.count("\n") == 1
    assert main(["export", str(tmp_path / "nope.safetensors")]) == 2
    assert (
        "nope.safetensors: no such checkpoint; expected a .safetensors file, check the name" in capsys.readouterr().err
    )
    assert not list(tmp_path.glob("*.xml"))
