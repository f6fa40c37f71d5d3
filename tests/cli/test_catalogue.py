import json
from pathlib import Path

import pytest

from undegrade.cli import main
from undegrade.degradations import COMPOUNDS, DEGRADATIONS
from undegrade.inference.models import MODELS
from undegrade.recipes import RECIPES


@pytest.mark.parametrize(
    ("verb", "catalogue"), [("models", MODELS), ("recipes", RECIPES), ("degradations", {**DEGRADATIONS, **COMPOUNDS})]
)
def test_every_member_is_listed(verb: str, catalogue: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["name"] for record in records] == [name for name in catalogue if not name.endswith("-debug")]
    assert all(record["about"].endswith(".") for record in records if record.get("family") != "mixture")
    assert all(record["about"] for record in records)
    assert main([verb]) == 0
    table = capsys.readouterr().out
    assert all(f" {name} " in table for name in catalogue if not name.endswith("-debug"))


def test_fields_come_with_ranges_and_units(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["degradations", "--json"]) == 0
    fields = {record["name"]: record.get("fields") for record in json.loads(capsys.readouterr().out)}
    assert fields["noise"] == [
        {
            "name": "sigma",
            "unit": "standard deviation, 8-bit levels",
            "low": 0,
            "high": 50,
            "limits": [0, 255],
            "whole": False,
            "falling": False,
        }
    ]
    assert fields["mosaic"] == []


def test_the_gallery_needs_a_photo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["degradations", "--gallery", str(tmp_path / "x.html")]) == 2
    assert "needs a clean photo to spoil; add --photo FILE" in capsys.readouterr().err
