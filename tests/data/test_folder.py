from pathlib import Path

import numpy as np
import pytest

from undegrade.data import folder as folder_file
from undegrade.data.folder import CleanFolder, find_pairs
from undegrade.errors import UndegradeError
from undegrade.images import Picture, read_picture, write_picture


@pytest.mark.parametrize("holdout", [2, 5, 12])
def test_train_and_held_out_are_disjoint_and_together_everything(photos: Path, holdout: int) -> None:
    train, held_out, everything = (
        CleanFolder(photos, part=part, holdout=holdout).paths for part in ("train", "held_out", "all")
    )
    assert not set(train) & set(held_out)
    assert sorted(train + held_out) == everything
    assert len(everything) == 12
    assert len(held_out) == 12 // holdout


def test_the_same_pictures_are_held_out_each_time_whatever_is_added_behind(photos: Path, tmp_path: Path) -> None:
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = [p.name for p in CleanFolder(tmp_path, part="held_out", holdout=4).paths]
    (tmp_path / "zz.png").write_bytes((photos / "00.png").read_bytes())
    assert [p.name for p in CleanFolder(tmp_path, part="held_out", holdout=4).paths] == before
    assert before == [p.name for p in CleanFolder(photos, part="held_out", holdout=4).paths]


def test_no_holdout_holds_nothing_out(photos: Path) -> None:
    assert len(CleanFolder(photos, part="train", holdout=0)) == 12
    with pytest.raises(UndegradeError, match="too few pictures for the part 'held_out'"):
        CleanFolder(photos, part="held_out", holdout=0)


def test_too_few_pictures_to_hold_one_out_are_refused(photos: Path) -> None:
    with pytest.raises(UndegradeError, match=f"{photos.name}: too few pictures"):
        CleanFolder(photos, part="held_out", holdout=20)


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_a_folder_without_pictures_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UndegradeError, match=name):
        CleanFolder(tmp_path / name)


def test_pixels_are_the_files_in_8_bits(photos: Path) -> None:
    pictures = CleanFolder(photos)
    for index, path in enumerate(pictures.paths):
        pixels = pictures.load(index)
        assert pixels.dtype == np.uint8
        assert pixels.shape == (3, 40, 52)
        np.testing.assert_array_equal(pixels, np.round(read_picture(path).pixels * 255))


def test_pictures_are_decoded_once_while_they_fit(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []

    def read(path: Path) -> Picture:
        calls.append(path)
        return read_picture(path)

    monkeypatch.setattr(folder_file, "read_picture", read)
    monkeypatch.setattr(folder_file, "CACHE_PIXELS", 2 * 40 * 52)
    pictures = CleanFolder(photos)
    first = [pictures.load(i).copy() for i in range(3)]
    again = [pictures.load(i) for i in range(3)]
    assert calls == [pictures.paths[i] for i in (0, 1, 2, 2)]  # there is room for two
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def make_pairs(folder: Path, inputs: list[str], targets: list[str]) -> None:
    for part, names in (("input", inputs), ("target", targets)):
        (folder / part).mkdir()
        for name in names:
            write_picture(Picture(pixels=np.zeros((3, 8, 8), np.float32)), folder / part / name)


def test_pairs_have_one_stem_whatever_the_format(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["b.png", "a.jpg"], ["a.png", "b.png", "c.png"])
    pairs = [(degraded.name, clean.name) for degraded, clean in find_pairs(tmp_path)]
    assert pairs == [("a.jpg", "a.png"), ("b.png", "b.png")]
    assert all(d.parent.name == "input" and c.parent.name == "target" for d, c in find_pairs(tmp_path))


def test_an_input_without_target_is_named(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a.png", "lost.png"], ["a.png"])
    with pytest.raises(UndegradeError, match=r"lost\.png: no picture of this name in .*target"):
        find_pairs(tmp_path)


def test_a_missing_half_is_named(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a.png"], [])
    with pytest.raises(UndegradeError, match="target"):
        find_pairs(tmp_path)
