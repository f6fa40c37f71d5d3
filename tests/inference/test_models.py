from pathlib import Path

import pytest

from undegrade.errors import UndegradeError
from undegrade.inference import models
from undegrade.inference.models import DEFAULT_MODEL, MODELS, find_model


def test_a_shipped_name_becomes_its_file(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "WEIGHTS", model.parent)
    monkeypatch.setitem(MODELS, "tiny", models.ShippedModel(stem="tiny", about="For tests."))
    assert find_model("tiny") == model


def test_files_are_models_too(model: Path, checkpoint: Path) -> None:
    assert find_model(str(model)) == model
    assert find_model(checkpoint) == checkpoint


def test_the_default_is_shipped() -> None:
    assert DEFAULT_MODEL in MODELS


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "universal-smal",
            "'universal-smal'; known are default, quality, universal-small, or give a file ending in .xml",
        ),
        ("photo.png", "unknown model 'photo.png'"),
        ("nowhere/m.xml", "nowhere/m.xml: no such model file"),
    ],
)
def test_unknown_models_are_refused(given: str, message: str) -> None:
    with pytest.raises(UndegradeError, match=message):
        find_model(given)


def test_an_install_without_weights_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    with pytest.raises(UndegradeError, match="the shipped model is not there"):
        find_model(DEFAULT_MODEL)
