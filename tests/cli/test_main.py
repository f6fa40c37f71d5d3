import os
import subprocess
import sys
from pathlib import Path

import pytest

from undegrade import __version__
from undegrade.cli import main
from undegrade.inference.restorer import Restorer

VERBS = ["restore", "diagnose", "degrade", "train", "evaluate", "export", "import"]
VERBS += ["models", "recipes", "degradations", "data"]


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"undegrade {__version__}\n"
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {verb}  " in listed for verb in VERBS)


def test_numpy_keeps_to_the_thread_that_it_is_called_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    main(["--version"])
    assert os.environ["OPENBLAS_NUM_THREADS"] == "2"  # as asked
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    main(["--version"])
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    script = "import sys, undegrade.cli; sys.exit('numpy' in sys.modules)"  # which would have its threads already
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"undegrade {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [[], ["frobnicate"], ["restore"], ["restore", "x.png", "--frob"], ["degrade", "x.png"], ["degrade", "--seed", "x"]],
)
def test_usage_mistakes_are_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(("flags", "has_traceback"), [([], False), (["--debug"], True)])
def test_a_fault_of_undegrade_is_one_line_unless_debugging(
    flags: list[str],
    has_traceback: bool,
    model: Path,
    photo_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise KeyError("gone")

    monkeypatch.setattr(Restorer, "restore_rows", stumble)
    assert main([*flags, "restore", str(photo_file), "--model", str(model)]) == 1
    captured = capsys.readouterr()
    assert f"error: {photo_file}: internal error (KeyError: 'gone'); please report it\n" in captured.err
    assert ("Traceback" in captured.err) == has_traceback
    monkeypatch.setattr("undegrade.inference.jobs.find_inputs", stumble)
    assert main([*flags, "restore", str(photo_file)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: internal error (KeyError: 'gone'); please report it\n")
    assert ("Traceback" in captured.err) == has_traceback


def test_an_interruption_leaves_no_files(
    model: Path, photo_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)  # the last step of writing a picture
    assert main(["restore", str(photo_file), "--model", str(model)]) == 130
    assert "Traceback" not in capsys.readouterr().err
    assert list(photo_file.parent.iterdir()) == [photo_file]


WITHOUT_TORCH = """
import sys
for name in ("torch", "safetensors", "accelerate", "skimage", "tensorboard"):
    sys.modules[name] = None
from undegrade.cli import main
sys.exit(main(sys.argv[1:]))
"""


def run_without_torch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments], capture_output=True, text=True, check=False
    )


def test_the_base_install_restores(model: Path, photo_file: Path) -> None:
    done = run_without_torch("restore", str(photo_file), "--model", str(model))
    assert (done.returncode, done.stderr) == (0, "")
    assert photo_file.with_name("photo.restored.png").is_file()


def test_the_base_install_checks_packs_and_shards(photo_file: Path, tmp_path: Path) -> None:
    folder = str(photo_file.parent)
    for arguments in (["check"], ["pack", "-o", str(tmp_path / "pack")], ["shard", "-o", str(tmp_path / "shards")]):
        done = run_without_torch("data", arguments[0], folder, *arguments[1:])
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_the_base_install_says_what_needs_torch(photo_file: Path, checkpoint: Path) -> None:
    photo = str(photo_file)
    for arguments in (
        ["degrade", photo, "--as", "rain", "-o", "x.png"],
        ["recipes"],
        ["degradations"],
        ["train", "universal-small"],
        ["evaluate", "--data", str(photo_file.parent)],
        ["export", str(checkpoint), "-o", f"{photo}.xml"],
        ["restore", photo, "--model", str(checkpoint)],
    ):
        done = run_without_torch(*arguments)
        assert done.returncode == 2
        assert "pip install 'undegrade[train]'" in done.stderr
        assert done.stderr.count("\n") == 1
