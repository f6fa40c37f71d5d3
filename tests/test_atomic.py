from pathlib import Path

import pytest

from undegrade.atomic import folder_written_whole, written_whole
from undegrade.errors import UndegradeError


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with written_whole(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_a_failure_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(UndegradeError if error is OSError else error):  # noqa: PT012, SIM117
        with written_whole(path) as partial:
            partial.write_text("half")
            raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match=r"a.txt: cannot be written \(No such file"):  # noqa: SIM117
        with written_whole(tmp_path / "missing" / "a.txt") as partial:
            partial.write_text("")


def test_a_folder_appears_when_the_block_ends(tmp_path: Path) -> None:
    with folder_written_whole(tmp_path / "new") as partial:
        (partial / "a.txt").write_text("a")
        assert not (tmp_path / "new").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert (tmp_path / "new" / "a.txt").read_text() == "a"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_a_folder_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(UndegradeError if error is OSError else error):  # noqa: PT012, SIM117
        with folder_written_whole(tmp_path / "new") as partial:
            (partial / "a.txt").write_text("half")
            raise error
    assert not list(tmp_path.iterdir())


def test_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(UndegradeError, match="old: exists already"), folder_written_whole(tmp_path / "old"):
        raise AssertionError
    with pytest.raises(UndegradeError, match=r"new: cannot be written \(No such file"):  # noqa: SIM117
        with folder_written_whole(tmp_path / "missing" / "new"):
            raise AssertionError
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
