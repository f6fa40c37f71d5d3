from pathlib import Path

import pytest

from undegrade.data.folder import open_set
from undegrade.degradations import DEGRADATIONS, TEN, find_step
from undegrade.errors import UndegradeError
from undegrade.evaluation.sets import SETS, find_set, fingerprint, open_pictures, what_is_wrong
from undegrade.evaluation.suite import LEVELS, SUITES, find_suite, pair_tasks, tasks_of
from undegrade.images import read_picture, write_picture


def test_all_that_suites_name_is_in_the_catalogue() -> None:
    for suite in SUITES.values():
        assert all(find_step(step).label for step in suite.steps)
    for one in SETS.values():
        assert all(find_step(step).label for step in one.steps)
        assert not one.kind or one.kind in DEGRADATIONS
        assert bool(one.steps) == (one.layout == "clean")


def test_every_step_stands_with_every_picture(clean_set: Path) -> None:
    tasks = tasks_of(SUITES["generated_10d"], open_set(clean_set))
    assert [task.row for task in tasks[::3]] == [*TEN, "clean"]
    assert [(task.picture, task.number, task.seed) for task in tasks[:3]] == [("p0", 0, 0), ("p1", 1, 1), ("p2", 2, 2)]
    assert all(task.kind == task.row for task in tasks)


def test_levels_have_rows_of_their_own_and_mixtures_no_single_kind(clean_set: Path) -> None:
    tasks = tasks_of(SUITES["generated_severity"], open_set(clean_set))
    assert [(task.row, task.level) for task in tasks[: 3 * 5 : 3]] == [(f"noise {x:g}", x) for x in LEVELS]
    mixed = tasks_of(SUITES["generated_mixed"], open_set(clean_set))
    assert {task.kind for task in mixed} == {None, "clean"}


def test_pairs_are_rows_by_label_or_by_the_set(pair_set: Path) -> None:
    tasks = pair_tasks("LOL-v1", open_set(pair_set))
    assert [(task.row, task.picture, task.kind) for task in tasks] == [
        ("LOL-v1", "p0", "low_light"),
        ("LOL-v1", "p1", "low_light"),
    ]
    assert pair_tasks("own", open_set(pair_set))[0].kind is None


def test_pictures_called_alike_keep_their_folders(tmp_path: Path, clean_set: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / "two" / folder).mkdir(parents=True)
        write_picture(read_picture(clean_set / "p0.png"), tmp_path / "two" / folder / "x.png")
    tasks = tasks_of(SUITES["generated_5d"], open_set(tmp_path / "two", "clean"))
    assert [task.picture for task in tasks[:2]] == ["a/x", "b/x"]


def test_pairs_and_clean_pictures_are_not_mixed_up(clean_set: Path, pair_set: Path) -> None:
    with pytest.raises(UndegradeError, match="holds pairs, and the suite generated_5d spoils clean pictures"):
        tasks_of(SUITES["generated_5d"], open_set(pair_set))
    with pytest.raises(UndegradeError, match="clean pictures, where Rain100L has pairs"):
        pair_tasks("Rain100L", open_set(clean_set))


def test_a_crop_takes_the_place_of_the_suites() -> None:
    suite = find_suite("generated_5d", crop=0)
    assert suite is not None
    assert suite.crop == 0
    assert suite.steps == SUITES["generated_5d"].steps
    assert find_suite("GoPro") is None
    with pytest.raises(UndegradeError, match="'nothing' is not known; known are generated_5d"):
        find_suite("nothing")


def test_sets_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Set14").mkdir()
    monkeypatch.delenv("UNDEGRADE_DATA", raising=False)
    assert find_set("Set14", tmp_path) == find_set("Set14", tmp_path / "Set14") == tmp_path / "Set14"
    with pytest.raises(UndegradeError, match="Set14: not found; give --data, or set UNDEGRADE_DATA"):
        find_set("Set14", None)
    monkeypatch.setenv("UNDEGRADE_DATA", str(tmp_path))
    assert find_set("Set14", None) == tmp_path / "Set14"
    with pytest.raises(UndegradeError, match=r"Kodak24: not found; looked for .*Kodak24"):
        find_set("Kodak24", tmp_path / "elsewhere")


def test_a_fingerprint_is_of_pixels_and_names_not_of_formats(tmp_path: Path, clean_set: Path) -> None:
    before = fingerprint(open_set(clean_set))
    picture = read_picture(clean_set / "p1.png")
    (clean_set / "p1.png").unlink()
    write_picture(picture, clean_set / "p1.tif")
    assert fingerprint(open_set(clean_set)) == before
    picture.pixels[0, 0, 0] += 1 / 255
    write_picture(picture, clean_set / "p1.tif")
    assert fingerprint(open_set(clean_set)) != before


def test_part_of_a_set_is_called_so(clean_set: Path) -> None:
    doubt = what_is_wrong("Kodak24", open_set(clean_set))
    assert doubt is not None
    assert "3 pictures, and Kodak24 has 24" in doubt
    assert what_is_wrong("own", open_set(clean_set)) is None


def test_what_has_no_partner_is_counted_and_left_out(pair_set: Path) -> None:
    (pair_set / "target" / "p1.png").rename(pair_set / "target" / "q1.png")
    pictures, problems = open_pictures(pair_set, None)
    assert [pair.degraded for pair in pictures.pairs] == ["input/p0.png"]
    assert len(problems) == 2
    assert "p1.png: no clean picture for it" in problems[0]
    assert "q1.png: no degraded picture for it" in problems[1]
    (pair_set / "target" / "p0.png").unlink()
    with pytest.raises(UndegradeError, match="no pair is whole"):
        open_pictures(pair_set, None)
