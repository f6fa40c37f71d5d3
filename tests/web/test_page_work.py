"""What the page does with photos, without a browser."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from undegrade.cli import main
from undegrade.errors import UndegradeError
from undegrade.images import read_picture
from undegrade.inference.models import DEFAULT_MODEL
from undegrade.web.page_work import Wanted, kinds_of, restore_all, show, where

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where results go
    files = [tmp_path / "one" / "photo.png", tmp_path / "two" / "photo.png", tmp_path / "broken.png"]
    noisy, well = ((EXAMPLES / name).read_bytes() for name in ("cat-noisy.png", "cat-well.png"))
    for file, content in zip(files, (noisy, well, b"no picture"), strict=True):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    return files


def test_photos_are_restored_as_on_the_command_line(photos: list[Path], tmp_path: Path) -> None:
    told: list[float] = []
    wanted = Wanted(model=DEFAULT_MODEL, force=True, strength=0.5)
    seen, archive = restore_all(photos, wanted, lambda share, name: told.append(share))
    assert [one.name for one in seen] == ["photo.png", "photo (2).png", "broken.png"]
    assert main(["restore", str(photos[0]), "--force", "--strength", "0.5"]) == 0
    assert Path(seen[0].result).read_bytes() == (photos[0].parent / "photo.restored.png").read_bytes()
    assert seen[0].pair is not None
    assert read_picture(seen[0].pair[0]).pixels.shape == read_picture(seen[0].pair[1]).pixels.shape
    assert "Repaired" in show(seen[0])
    assert seen[2].error
    assert str(photos[2]) not in show(seen[2])
    assert archive is not None
    with zipfile.ZipFile(archive) as file:
        assert len(set(file.namelist())) == 2
    assert told == sorted(told)


def test_it_says_why_nothing_was_changed(photos: list[Path]) -> None:
    kinds = tuple(kinds_of(DEFAULT_MODEL))
    (one,), _ = restore_all(photos[:1], Wanted(model=DEFAULT_MODEL, skip=kinds), lambda share, name: None)
    assert not one.changed
    assert show(one).endswith("Nothing was changed: noise: left alone, as asked.")
    assert Path(one.result).read_bytes() == photos[0].read_bytes()


def test_a_kind_that_is_not_known_is_refused(photos: list[Path]) -> None:
    with pytest.raises(UndegradeError, match="nonsense"):
        restore_all(photos, Wanted(model=DEFAULT_MODEL, only=("nonsense",)), lambda share, name: None)


def test_all_are_in_the_archive_whatever_they_are_called(photos: list[Path], tmp_path: Path) -> None:
    files = [tmp_path / name / "a.png" for name in "xy"] + [tmp_path / "a (2).png"]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(photos[1].read_bytes())
    seen, archive = restore_all(files, Wanted(model=DEFAULT_MODEL), lambda share, name: None)
    assert [one.name for one in seen] == ["a.png", "a (2).png", "a (2) (2).png"]
    assert archive is not None
    with zipfile.ZipFile(archive) as file:
        assert len(set(file.namelist())) == 3


def test_it_draws_where(photos: list[Path]) -> None:
    (one,), _ = restore_all(photos[:1], Wanted(model=DEFAULT_MODEL), lambda share, name: None)
    drawn, colours = where(one, DEFAULT_MODEL)
    assert drawn.shape == (*read_picture(photos[0]).pixels.shape[1:], 3)
    assert all(colour.startswith("#") for colour in colours.values())
