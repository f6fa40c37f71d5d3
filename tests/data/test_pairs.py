from collections.abc import Callable
from pathlib import Path

import pytest

from undegrade.data.layouts import LAYOUTS
from undegrade.data.pairs import Pair, find, find_whole, label_counts, list_pictures, parse_place
from undegrade.errors import UndegradeError

Tree = Callable[..., Path]

# layout -> its files, and the pairs in them
SETS: dict[str, tuple[list[str], list[tuple[str, str, str | None]]]] = {
    "input_target": (
        ["input/b.png", "input/a.jpg", "target/a.png", "target/b.png"],
        [("input/a.jpg", "target/a.png", None), ("input/b.png", "target/b.png", None)],
    ),
    "lq_gt": (["LQ/1.png", "GT/1.png"], [("LQ/1.png", "GT/1.png", None)]),
    "gopro": (
        ["train/s1/blur/1.png", "train/s1/sharp/1.png", "train/s2/blur/1.png", "train/s2/sharp/1.png"],
        [
            ("train/s1/blur/1.png", "train/s1/sharp/1.png", None),
            ("train/s2/blur/1.png", "train/s2/sharp/1.png", None),
        ],
    ),
    "reside": (
        ["hazy/0001_0.8_0.2.jpg", "hazy/0001_1_0.1.jpg", "hazy/0002_0.8_0.2.jpg", "clear/0001.png", "clear/0002.png"],
        [
            ("hazy/0001_0.8_0.2.jpg", "clear/0001.png", None),
            ("hazy/0001_1_0.1.jpg", "clear/0001.png", None),
            ("hazy/0002_0.8_0.2.jpg", "clear/0002.png", None),
        ],
    ),
    "lol": (["our485/low/2.png", "our485/high/2.png"], [("our485/low/2.png", "our485/high/2.png", None)]),
    "rain13k": (["rain-001.png", "norain-001.png"], [("rain-001.png", "norain-001.png", None)]),
    "snow100k": (["synthetic/a.jpg", "gt/a.jpg", "mask/a.jpg"], [("synthetic/a.jpg", "gt/a.jpg", None)]),
    "source_target": (["source/src_1.png", "target/tar_1.png"], [("source/src_1.png", "target/tar_1.png", None)]),
    "raindrop": (["data/1_rain.png", "gt/1_clean.png"], [("data/1_rain.png", "gt/1_clean.png", None)]),
    "sidd": (["1/1_NOISY_SRGB_10.png", "1/1_GT_SRGB_10.png"], [("1/1_NOISY_SRGB_10.png", "1/1_GT_SRGB_10.png", None)]),
    "cdd11": (
        ["clear/1.png", "haze/1.png", "haze_rain/1.png", "low/1.png"],
        [
            ("haze/1.png", "clear/1.png", "haze"),
            ("haze_rain/1.png", "clear/1.png", "haze_rain"),
            ("low/1.png", "clear/1.png", "low"),
        ],
    ),
    "clean": (["b.png", "below/a.png"], [("b.png", "b.png", None), ("below/a.png", "below/a.png", None)]),
}


def test_every_layout_has_its_example() -> None:
    assert list(SETS) == list(LAYOUTS)


@pytest.mark.parametrize("layout", SETS)
@pytest.mark.parametrize("named", [True, False])
def test_pairs_are_found_and_so_is_the_layout(layout: str, named: bool, tree: Tree) -> None:
    names, pairs = SETS[layout]
    root = tree(*names)
    found = find_whole(root, layout if named else None)
    assert found.layout == layout
    assert found.paired == (layout != "clean")
    assert [(pair.degraded, pair.clean, pair.label) for pair in found.pairs] == pairs
    assert not found.unpaired
    assert not found.unused
    assert not found.others


def test_lone_pictures_are_named_on_both_sides(tree: Tree) -> None:
    found = find(tree("input/a.png", "input/lost.png", "target/a.png", "target/spare.png", "notes/x.png"))
    assert [pair.degraded for pair in found.pairs] == ["input/a.png"]
    assert found.unpaired == {"input/lost.png": "no clean picture for it; looked for target/lost"}
    assert found.unused == ("target/spare.png",)
    assert found.others == ("notes/x.png",)


def test_two_clean_pictures_of_one_name_are_refused(tree: Tree) -> None:
    root = tree("input/a.png", "target/a.png", "target/a.jpg", "input/b.png", "target/b.png")
    with pytest.raises(UndegradeError, match=r"a\.png: several clean pictures for it: target/a\.jpg, target/a\.png"):
        find_whole(root)


def test_an_input_without_target_is_named(tree: Tree) -> None:
    with pytest.raises(UndegradeError, match=r"lost\.png: no clean picture for it; looked for target/lost"):
        find_whole(tree("input/a.png", "input/lost.png", "target/a.png"))


def test_a_missing_half_is_named_and_not_taken_for_clean_pictures(tree: Tree) -> None:
    found = find(tree("hazy/1_2.png", "hazy/2_2.png"))
    assert found.layout == "reside"
    assert list(found.unpaired) == ["hazy/1_2.png", "hazy/2_2.png"]
    assert find(found.root, "clean").pairs == (
        Pair(degraded="hazy/1_2.png", clean="hazy/1_2.png"),
        Pair(degraded="hazy/2_2.png", clean="hazy/2_2.png"),
    )


def test_another_layout_than_the_set_has_says_what_it_looked_for(tree: Tree) -> None:
    root = tree("input/a.png", "target/a.png")
    with pytest.raises(UndegradeError, match=r"no pairs by the layout lol; looked for low/\{path\} with high/\{path\}"):
        find(root, "lol")
    with pytest.raises(UndegradeError, match="unknown layout 'goprop'; known are input_target, lq_gt, gopro"):
        find(root, "goprop")


@pytest.mark.parametrize("name", ["empty", "missing", "file"])
def test_a_folder_without_pictures_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    (tmp_path / "empty" / "notes.txt").touch()
    (tmp_path / "file").touch()
    with pytest.raises(UndegradeError, match=name):
        find(tmp_path / name)


def test_training_and_test_pictures_are_not_mixed(tree: Tree) -> None:
    names = [f"{split}/s/{half}/1.png" for split in ("train", "test") for half in ("blur", "sharp")]
    root = tree(*names)
    assert len(find(root).pairs) == 2
    with pytest.raises(UndegradeError, match=r"several parts of a set.*name one of .*test, .*train"):
        find_whole(root)
    assert [pair.degraded for pair in find_whole(root / "train").pairs] == ["s/blur/1.png"]


def test_the_layout_with_the_most_pairs_is_meant(tree: Tree) -> None:
    root = tree("input/1.png", "target/1.png", "low/1.png", "low/2.png", "high/1.png", "high/2.png")
    found = find(root)
    assert found.layout == "lol"
    assert found.others == ("input/1.png", "target/1.png")


def test_hidden_files_and_links_that_lead_back_are_passed_over(tree: Tree) -> None:
    root = tree("a.png", "._a.png", ".hidden/b.png", "sub/c.png")
    (root / "sub" / "loop").symlink_to(root)
    assert list_pictures(root) == ["a.png", "sub/c.png"]


def test_a_linked_folder_is_entered(tree: Tree, tmp_path: Path) -> None:
    elsewhere = tree("1.png", root="elsewhere")
    root = tree("input/1.png")
    (root / "target").symlink_to(elsewhere)
    assert [pair.clean for pair in find_whole(root).pairs] == ["target/1.png"]


def test_labels_are_counted(tree: Tree) -> None:
    found = find(tree("clear/1.png", "clear/2.png", "haze/1.png", "haze/2.png", "rain/1.png"))
    assert label_counts(found.pairs) == {"haze": 2, "rain": 1}


def test_a_place_is_a_folder_and_perhaps_a_layout(tmp_path: Path) -> None:
    assert parse_place("a/b") == (Path("a/b"), None)
    assert parse_place("a/b:gopro") == (Path("a/b"), "gopro")
    assert parse_place("C:\\data") == (Path("C:\\data"), None)
    odd = tmp_path / "a:b"
    odd.mkdir()
    assert parse_place(str(odd)) == (odd, None)
    with pytest.raises(UndegradeError, match="'goprop' is no layout; known are input_target"):
        parse_place("a/b:goprop")
