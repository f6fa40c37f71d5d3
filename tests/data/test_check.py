from collections.abc import Callable
from pathlib import Path

import pytest

from undegrade.data.check import KINDS, Checked, LabelRow, check
from undegrade.errors import UndegradeError

Tree = Callable[..., Path]


def kinds(checked: Checked) -> list[tuple[str, str]]:
    return [(problem.kind, problem.picture) for problem in checked.problems]


def test_a_sound_set_is_counted(tree: Tree) -> None:
    tree("clear/1.png", "haze/1.png", "low/1.png")
    checked = check(tree("clear/2.png", "haze/2.png", size=(6, 20)))
    assert (checked.layout, checked.paired, checked.pictures, checked.pixels) == ("cdd11", True, 5, 3 * 80 + 2 * 120)
    assert checked.problems == ()
    assert checked.rows == (
        LabelRow(label="haze", pairs=2, pixels=200, smallest=(8, 10), largest=(6, 20)),
        LabelRow(label="low", pairs=1, pixels=80, smallest=(8, 10), largest=(8, 10)),
    )


def test_clean_pictures_alone_are_counted_once(tree: Tree) -> None:
    checked = check(tree("a.png", "b/c.png"))
    assert (checked.layout, checked.paired, checked.pictures, checked.pixels) == ("clean", False, 2, 160)
    assert checked.problems == ()


def test_each_kind_of_mistake_is_found(tree: Tree) -> None:
    root = tree(*(f"{half}/{name}.png" for half in ("input", "target") for name in "abcdefg"))
    (root / "input" / "b.png").write_bytes((root / "target" / "b.png").read_bytes())
    (root / "input" / "c.png").write_bytes((root / "input" / "c.png").read_bytes()[:-60])
    (root / "target" / "d.png").write_bytes(b"")
    tree("input/e.png", size=(9, 10))
    (root / "input" / "f.png").unlink()
    (root / "target" / "g.png").unlink()
    (root / "target" / "a.png").write_bytes((root / "target" / "e.png").read_bytes())
    checked = check(root)
    assert kinds(checked) == [
        ("unreadable", "input/c.png"),
        ("unreadable", "target/d.png"),
        ("unpaired", "input/g.png"),
        ("unused", "target/f.png"),
        ("size", "input/e.png"),
        ("identical", "input/b.png"),
        ("duplicate", "target/e.png"),
    ]
    assert {kind for kind, _ in kinds(checked)} == set(KINDS)
    details = {problem.kind: problem.detail for problem in checked.problems}
    assert details["size"].startswith("10 x 9 pixels, but target/e.png has 10 x 8")
    assert details["duplicate"] == "the same bytes as target/a.png"
    assert details["identical"] == "the same pixels as target/b.png"
    assert "cut short" in details["unreadable"] or "empty" in details["unreadable"]
    assert not any(str(root) in problem.detail for problem in checked.problems)
    assert checked.rows[0].pairs == 5


def test_the_same_pixels_in_other_bytes_are_identical(tree: Tree) -> None:
    from undegrade.images import read_picture, write_picture

    root = tree("input/a.tif", "target/a.png")
    write_picture(read_picture(root / "target" / "a.png"), root / "input" / "a.tif")
    assert kinds(check(root)) == [("identical", "input/a.tif")]


def test_a_picture_that_serves_many_is_decoded_once(tree: Tree) -> None:
    told: list[tuple[float, int]] = []
    checked = check(tree("clear/1.png", *(f"hazy/1_{i}.png" for i in range(6))), advance=lambda *t: told.append(t))
    assert checked.pictures == 7
    assert told == [(i + 1, 7) for i in range(7)]
    assert checked.rows[0].pairs == 6


def test_other_pictures_are_no_mistake(tree: Tree) -> None:
    checked = check(tree("input/a.png", "target/a.png", "extra/a.png"))
    assert checked.problems == ()
    assert checked.others == ("extra/a.png",)


def test_nothing_to_check_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match="no pictures in this folder"):
        check(tmp_path)
