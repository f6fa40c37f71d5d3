"""`undegrade restore --say`."""

from pathlib import Path

import numpy as np
import pytest
import torch

from undegrade.api import Restorer
from undegrade.cli import main
from undegrade.errors import UndegradeError
from undegrade.images import read_picture
from undegrade.networks import TextPromptIR, UniversalRestorer
from undegrade.networks.checkpoint import save_checkpoint

Capture = pytest.CaptureFixture[str]


def test_what_is_said_decides_what_is_repaired(model: Path, photo_file: Path, capsys: Capture) -> None:
    command = ["restore", str(photo_file), "--model", str(model), "--overwrite"]
    result = photo_file.with_name("photo.restored.png")
    assert main([*command, "--say", "please remove the rain"]) == 0
    assert "understood: repair rain" in capsys.readouterr().err
    assert not np.array_equal(read_picture(result).pixels, read_picture(photo_file).pixels)
    for sentence in ("do not touch the rain", "leave it as it is"):
        assert main([*command, "--say", sentence]) == 0
        assert "understood: " in capsys.readouterr().err
        assert np.array_equal(read_picture(result).pixels, read_picture(photo_file).pixels), sentence


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--say", "a cat on a sofa"], 'no instruction in it; say what to repair or to leave alone, such as "remove'),
        (["--say", ""], "no instruction in it; say what"),
        (["--say", "remove the rain", "--only", "rain"], "leave out only and skip"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    options: list[str], said: str, model: Path, photo_file: Path, capsys: Capture
) -> None:
    assert main(["restore", str(photo_file), "--model", str(model), *options]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not photo_file.with_name("photo.restored.png").exists()


def test_a_network_that_is_told_sentences_is_told_it(photo_file: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = {"width": 8, "blocks": (1, 0, 0, 1), "refinement": 0}
    path = tmp_path / "told.safetensors"
    save_checkpoint(UniversalRestorer(TextPromptIR(TextPromptIR.Config(**small, embedding=384)), None, ()), path)  # type: ignore[arg-type]
    picture = read_picture(photo_file)
    silent, rain, dark = (
        Restorer(path, say=say).restore(picture).picture.pixels
        for say in (None, "remove the rain", "it is too dark, brighten it")
    )
    assert not np.array_equal(rain, silent)
    assert not np.array_equal(rain, dark)
    path = tmp_path / "other.safetensors"
    save_checkpoint(UniversalRestorer(TextPromptIR(TextPromptIR.Config(**small)), None, ()), path)  # type: ignore[arg-type]
    with pytest.raises(UndegradeError, match="is told sentences of 768 numbers"):
        Restorer(path, say="remove the rain")
