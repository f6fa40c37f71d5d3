"""What `--ray` refuses before anything is started, and a cluster that does not answer."""

import sys
from pathlib import Path

import pytest

from undegrade.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["a", "b", "-o", "out"], "--ray: takes one archive at a time; give one folder or URL"),
        (["a"], "--ray: needs a place for results and manifest; add --out, a folder or URL"),
        (["a", "-o", "out", "--in-place"], "--in-place: archives have none; leave it out, or leave out --ray"),
        (["a", "-o", "out", "--sheet", "a.png"], "--sheet: archives have none; leave it out, or leave out --ray"),
    ],
)
def test_what_archives_have_not_is_refused(arguments: list[str], what: str, capsys: Capture) -> None:
    assert main(["restore", *arguments, "--ray", "local"]) == 2
    assert capsys.readouterr().err == f"error: {what}\n"


@pytest.mark.parametrize("verb", ["restore", "diagnose"])
def test_urls_need_ray(verb: str, capsys: Capture) -> None:
    assert main([verb, "s3://inbox/scans"]) == 2
    assert capsys.readouterr().err.startswith("error: s3://inbox/scans: archives are read with --ray; add --ray local")


def test_an_index_needs_ray_for_its_place(photo_file: Path, capsys: Capture) -> None:
    assert main(["diagnose", str(photo_file), "-o", "index"]) == 2
    assert capsys.readouterr().err == "error: --out, --jobs: belong to --ray; add it, or leave them out\n"


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("127.0.0.1:9", "no cluster answers there ([Errno 111] Connection refused); start one with ray start --head"),
        ("ray://host", "expected local, or HOST:PORT of a head, such as 10.0.0.1:6379"),
    ],
)
def test_a_cluster_that_does_not_answer(
    address: str, what: str, photo_file: Path, tmp_path: Path, model: Path, capsys: Capture
) -> None:
    pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'undegrade[ray]'")
    arguments = [str(photo_file.parent), "-o", str(tmp_path / "out"), "--model", str(model), "--ray", address]
    assert main(["restore", *arguments]) == 1
    assert capsys.readouterr().err.startswith(f"error: --ray {address}: {what}")
    assert not (tmp_path / "out").exists()


def test_without_the_extra_it_says_how_to_get_it(
    photo_file: Path, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for name in [name for name in sys.modules if name.startswith("undegrade.archive")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    arguments = [str(photo_file.parent), "-o", str(tmp_path / "out"), "--model", str(model), "--ray", "local"]
    assert main(["restore", *arguments]) == 2
    assert (
        "--ray needs the extra ray (pyarrow is not installed): pip install 'undegrade[ray]'" in capsys.readouterr().err
    )
