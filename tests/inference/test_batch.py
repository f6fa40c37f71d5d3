import shutil
from pathlib import Path

import pytest

from undegrade.errors import UndegradeError
from undegrade.inference.jobs import Failure, Job, attempt, find_inputs, plan_jobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, a result of an earlier run, and a text; the names are all that counts."""
    for name in ("b.jpg", "a.png", "a.restored.png", "notes.txt", "c.gif"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_folders_give_their_pictures_once_without_earlier_results(folder: Path) -> None:
    sources, failures = find_inputs([folder / "b.jpg", folder, folder / "a.png"])
    assert [path.name for path in sources] == ["b.jpg", "a.png", "c.gif"]
    assert not failures


def test_missing_and_empty_inputs_are_failures_and_the_rest_goes_on(folder: Path) -> None:
    empty = folder / "empty"
    empty.mkdir()
    done = folder / "done"
    done.mkdir()
    shutil.copy(folder / "a.restored.png", done)
    sources, failures = find_inputs([folder / "nope.png", empty, done, folder / "a.png"])
    assert [path.name for path in sources] == ["a.png"]
    reasons = [failure.reason for failure in failures]
    assert reasons[0].endswith("nope.png: no such file; check the name")
    assert "empty: no pictures in this folder" in reasons[1]
    assert "done: only results of earlier runs" in reasons[2]


def test_results_lie_beside_their_originals(folder: Path) -> None:
    sources = [folder / "a.png", folder / "b.jpg", folder / "c.gif"]
    targets = [job.target.name for job in plan_jobs(sources, sources, None)]
    assert targets == ["a.restored.png", "b.restored.jpg", "c.restored.png"]


def test_one_input_goes_to_a_file_or_into_a_folder(folder: Path) -> None:
    source = [folder / "a.png"]
    (folder / "there").mkdir()
    assert plan_jobs(source, source, str(folder / "x.jpg"))[0].target == folder / "x.jpg"
    assert plan_jobs(source, source, str(folder / "there"))[0].target == folder / "there" / "a.png"
    assert plan_jobs(source, source, f"{folder}/new/")[0].target == folder / "new" / "a.png"
    assert (folder / "new").is_dir()


def test_several_inputs_go_into_a_folder_that_is_made(folder: Path) -> None:
    sources, _ = find_inputs([folder])
    jobs = plan_jobs([folder], sources, str(folder / "deep" / "out"))
    assert [job.target for job in jobs] == [folder / "deep" / "out" / name for name in ("a.png", "b.jpg", "c.png")]
    assert (folder / "deep" / "out").is_dir()


def test_originals_are_never_overwritten(folder: Path) -> None:
    source = [folder / "a.png"]
    (folder / "link.png").symlink_to(folder / "a.png")
    (folder / "hard.png").hardlink_to(folder / "a.png")
    for out in ("a.png", "./a.png", "link.png", "hard.png", "."):
        with pytest.raises(UndegradeError, match="originals are never overwritten"):
            plan_jobs(source, source, f"{folder}/{out}")
    with pytest.raises(UndegradeError, match="originals are never overwritten"):
        plan_jobs(source, source, None, also=[folder / "a.png"])


def test_no_two_results_are_one_file(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    shutil.copy(folder / "a.png", other)
    sources = [folder / "a.png", other / "a.png"]
    with pytest.raises(UndegradeError, match=r"out/a.png: would hold both .*a.png and .*other/a.png"):
        plan_jobs(sources, sources, str(folder / "out"))
    with pytest.raises(UndegradeError, match="and the sheet"):
        plan_jobs(sources[:1], sources[:1], str(folder / "x.png"), also=[folder / "x.png"])


def test_an_unknown_ending_or_a_file_for_a_folder_is_refused(folder: Path) -> None:
    source = [folder / "a.png"]
    with pytest.raises(UndegradeError, match=r"x.bmp: unknown ending '.bmp'; expected one of .png"):
        plan_jobs(source, source, str(folder / "x.bmp"))
    with pytest.raises(UndegradeError, match=r"one.png: one file for several inputs"):
        plan_jobs([folder], source, str(folder / "one.png"))
    assert not (folder / "one.png").exists()
    with pytest.raises(UndegradeError, match=r"x.png: no folder .*missing; create it"):
        plan_jobs(source, source, str(folder / "missing" / "x.png"))
    with pytest.raises(UndegradeError, match=r"notes.txt: a file; several inputs need a folder"):
        plan_jobs([folder], source, str(folder / "notes.txt"))


def test_failures_are_kept_apart_by_whose_fault_they_are() -> None:
    def fail(error: Exception) -> int:
        raise error

    path = Path("p.png")
    assert attempt(path, lambda: 3) == 3
    expected = attempt(path, lambda: fail(UndegradeError("p.png: bad")))
    assert expected == Failure(source=path, reason="p.png: bad")
    fault = attempt(path, lambda: fail(ValueError("a\n b")))
    assert isinstance(fault, Failure)
    assert fault.reason == "p.png: internal error (ValueError: a b); please report it"
    assert isinstance(fault.error, ValueError)
    memory = attempt(path, lambda: fail(MemoryError()))
    assert isinstance(memory, Failure)
    assert "too large for this machine's memory" in memory.reason


def test_a_job_is_data() -> None:
    assert Job(source=Path("a"), target=Path("b")) == Job(source=Path("a"), target=Path("b"))
