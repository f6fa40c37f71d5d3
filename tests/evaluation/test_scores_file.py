from pathlib import Path

import pytest

from undegrade.errors import UndegradeError
from undegrade.evaluation.run import Score
from undegrade.evaluation.scores_file import ScoresFile

ONE = Score(model="m", row="noise", picture="a,\nb", kind="noise", level=0.1, named="rain", seconds=0.25,
            values={"psnr": 30.123456789012345, "ssim": 0.5})  # fmt: skip
TWO = Score(model="m", row="clean", picture="p", values={"psnr": 100.0, "ssim": 1.0})
LOST = Score(model="m", row="rain", picture="p", error="no such file")
METRICS = ("psnr", "ssim")


def written(path: Path, scores: list[Score]) -> None:
    file = ScoresFile(path, METRICS, resume=False)
    assert list(file.kept("run", {"m": "abc"}, iter(scores))) == scores


def test_scores_come_back_as_they_were_but_failed_ones(tmp_path: Path) -> None:
    written(tmp_path / "x.csv", [ONE, LOST, TWO])
    file = ScoresFile(tmp_path / "x.csv", METRICS, resume=True)
    assert file.known("run", {"m": "abc"}) == [ONE, TWO]
    assert file.known("another run", {"m": "abc"}) == []
    assert file.known("run", {"m": "other weights"}) == []


def test_a_line_that_was_broken_off_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    written(path, [TWO, TWO])
    path.write_text(path.read_text()[:-8])
    file = ScoresFile(path, METRICS, resume=True)
    assert file.known("run", {"m": "abc"}) == [TWO]
    list(file.kept("run", {"m": "abc"}, iter([ONE])))
    assert ScoresFile(path, METRICS, resume=True).known("run", {"m": "abc"}) == [TWO, ONE]


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    written(tmp_path / "x.csv", [ONE])
    with pytest.raises(UndegradeError, match=r"x\.csv: exists; --resume goes on with it"):
        ScoresFile(tmp_path / "x.csv", METRICS, resume=False)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\udcff"])
def test_other_files_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UndegradeError, match=r"x\.csv: "):
        ScoresFile(tmp_path / "x.csv", METRICS, resume=True)
    assert (tmp_path / "x.csv").read_bytes() == text.encode(errors="surrogateescape")


def test_other_metrics_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "x.csv", [ONE])
    with pytest.raises(UndegradeError, match="no scores of the metrics psnr, vif"):
        ScoresFile(tmp_path / "x.csv", ("psnr", "vif"), resume=True)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match=r"x\.csv: cannot be written"):
        ScoresFile(tmp_path / "missing" / "x.csv", METRICS, resume=False)
