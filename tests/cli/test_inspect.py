import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from undegrade.cli import main


@pytest.mark.slow
def test_the_shipped_model_is_inspected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert main(["inspect", "universal-small", "--side", "64", "--json", "--html", str(page)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"] > 1_000_000
    assert found["multiplications"] > 1e7
    assert found["whole"] is True
    assert 0 <= found["degenerate"] <= 1
    assert len(found["layers"]) > 50
    text = page.read_text()
    HTMLParser().feed(text)
    assert "://" not in text
    assert all(layer["name"] in text for layer in found["layers"])


def test_an_exported_model_alone_has_no_weights_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.xml").write_text("<net/>")
    assert main(["inspect", str(tmp_path / "x.xml")]) == 2
    assert "expected the .safetensors that it was exported from" in capsys.readouterr().err
