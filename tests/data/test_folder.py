import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from undegrade.data import decoding
from undegrade.data import folder as folder_file
from undegrade.data.decoding import Pixels
from undegrade.data.folder import CleanFolder, PairFolder, open_set
from undegrade.errors import UndegradeError
from undegrade.images import read_8bit, read_picture

Tree = Callable[..., Path]


@pytest.mark.parametrize("holdout", [2, 5, 12])
def test_train_and_held_out_are_disjoint_and_together_everything(photos: Path, holdout: int) -> None:
    train, held_out, everything = (
        CleanFolder(photos, part=part, holdout=holdout).names for part in ("train", "held_out", "all")
    )
    assert not set(train) & set(held_out)
    assert sorted(train + held_out) == everything
    assert len(everything) == 12
    assert len(held_out) == 12 // holdout


def test_the_same_pictures_are_held_out_each_time_whatever_is_added_behind(photos: Path, tmp_path: Path) -> None:
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = CleanFolder(tmp_path, part="held_out", holdout=4).names
    (tmp_path / "zz.png").write_bytes((photos / "00.png").read_bytes())
    assert CleanFolder(tmp_path, part="held_out", holdout=4).names == before
    assert before == CleanFolder(photos, part="held_out", holdout=4).names


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
    for index, name in enumerate(pictures.names):
        pixels = pictures.load(index)
        assert pixels.dtype == np.uint8
        assert pixels.shape == (3, 40, 52)
        np.testing.assert_array_equal(pixels, np.round(read_picture(photos / name).pixels * 255))


def test_pictures_are_decoded_once_while_they_fit(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def read(path: Path) -> Pixels:
        calls.append(path.name)
        return read_8bit(path)

    monkeypatch.setattr(folder_file, "read_8bit", read)
    monkeypatch.setattr(decoding, "CACHE_PIXELS", 2 * 40 * 52)
    pictures = CleanFolder(photos)
    first = [pictures.load(i).copy() for i in range(3)]
    again = [pictures.load(i) for i in range(3)]
    assert calls == [pictures.names[i] for i in (0, 1, 2, 2)]  # there is room for two
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_what_is_decoded_stays_in_its_process(photos: Path) -> None:
    pictures = CleanFolder(photos)
    before = len(pickle.dumps(pictures))
    pixels = pictures.load(3)
    assert len(pickle.dumps(pictures)) == before
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pictures)).load(3), pixels)


def test_folders_below_are_entered(tree: Tree) -> None:
    assert CleanFolder(tree("b.png", "more/a.png")).names == ["b.png", "more/a.png"]


def test_pairs_are_not_taken_for_clean_pictures(tree: Tree) -> None:
    root = tree("input/a.png", "target/a.png")
    with pytest.raises(UndegradeError, match="set: holds pairs; expected clean pictures"):
        CleanFolder(root)
    assert CleanFolder(root / "target").names == ["a.png"]


def test_a_folder_that_is_called_like_a_half_may_hold_clean_pictures(tree: Tree) -> None:
    assert CleanFolder(tree("low/a.png", "b.png")).names == ["b.png", "low/a.png"]


def test_pairs_are_given_as_they_lie_on_disk(tree: Tree) -> None:
    root = tree("clear/1.png", "clear/2.png", "hazy/1_1.png", "hazy/1_2.jpg", "hazy/2_1.png")
    pairs = PairFolder(open_set(root), "haze")
    assert pairs.names == ["hazy/1_1.png", "hazy/1_2.jpg", "hazy/2_1.png"]
    for index, number in enumerate((1, 1, 2)):
        degraded, clean = pairs.load_pair(index)
        np.testing.assert_array_equal(degraded, read_8bit(root / pairs.names[index]))
        np.testing.assert_array_equal(clean, read_8bit(root / "clear" / f"{number}.png"))


def test_all_degraded_versions_of_a_held_out_picture_are_held_out(tree: Tree) -> None:
    root = tree(*(f"clear/{i}.png" for i in range(4)), *(f"hazy/{i}_{j}.png" for i in range(4) for j in range(3)))
    train, held_out = (PairFolder(open_set(root), "haze", part=part, holdout=2) for part in ("train", "held_out"))
    assert held_out.names == [f"hazy/{i}_{j}.png" for i in (1, 3) for j in range(3)]
    assert train.names == [f"hazy/{i}_{j}.png" for i in (0, 2) for j in range(3)]
    with pytest.raises(UndegradeError, match="too few pictures for the part 'held_out': 4"):
        PairFolder(open_set(root), "haze", part="held_out", holdout=20)


def test_a_set_with_labels_gives_those_of_one(tree: Tree) -> None:
    place = open_set(tree("clear/1.png", "haze/1.png", "low_haze/1.png"))
    assert PairFolder(place, "low_haze").names == ["low_haze/1.png"]
    with pytest.raises(UndegradeError, match="set: no pairs of the label 'rain'; its labels are haze, low_haze"):
        PairFolder(place, "rain")


def test_clean_pictures_are_no_pairs(tree: Tree) -> None:
    with pytest.raises(UndegradeError, match="set: no pairs of degraded and clean pictures; looked for input_target: "):
        PairFolder(open_set(tree("a.png")), "haze")


def test_a_pair_of_two_sizes_is_refused_when_it_is_read(tree: Tree) -> None:
    tree("input/a.png")
    place = open_set(tree("target/a.png", size=(9, 10)))
    with pytest.raises(UndegradeError, match=r"input/a\.png: 10 x 8 pixels, but .*target/a\.png has 10 x 9"):
        place.load(0)
