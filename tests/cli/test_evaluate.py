import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.cli import main
from undegrade.images import Picture, write_picture

Scene = Callable[[int, int], NDArray[np.float32]]


@pytest.fixture
def pairs(tmp_path: Path, scene: Scene) -> Path:
    """A folder of two pairs."""
    for part in ("input", "target"):
        (tmp_path / "pairs" / part).mkdir(parents=True)
        for number in range(2):
            pixels = scene(40, 50) * np.float32(0.5 if part == "input" else 1)
            write_picture(Picture(pixels=pixels), tmp_path / "pairs" / part / f"{number}.png")
    return tmp_path / "pairs"


def test_a_row_for_each_degradation_and_one_for_clean_pictures(
    photo_file: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--data", str(photo_file.parent), "--model", str(model), "--crop", "32", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["data"], found["crop"], len(found["rows"])) == ("in", 32, 11)
    assert found["rows"][-1]["label"] == "clean"
    assert all(row["gain"] == pytest.approx(row["psnr_out"] - row["psnr_in"]) for row in found["rows"])


def test_the_table_is_whole_and_ends_with_the_means(
    photo_file: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--data", str(photo_file.parent), "--model", str(model), "--crop", "32"]) == 0
    table = capsys.readouterr().out.splitlines()
    means = next(line.strip() for line in table if line.strip().startswith("mean of the degradations"))
    columns = ["degradation", "pictures", "PSNR in", "PSNR out", "gain dB", "SSIM in", "SSIM out", "named", "worse"]
    assert [c for c in columns if any(c in line for line in table)] == columns
    rain = next(line for line in table if line.strip().startswith("rain")).split()
    assert rain[7] == "100%"  # the model says rain to everything
    assert means.split()[-2] == "10%"


def test_pairs_are_one_row_named_after_the_folder(
    pairs: Path, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pairs)
    assert main(["evaluate", "--data", ".", "--model", str(model), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["data"] == "pairs"
    (row,) = found["rows"]
    assert (row["label"], row["pictures"], row["named"]) == ("pairs", 2, None)
    assert math.isfinite(row["psnr_out"])


def test_pairs_of_unequal_size_are_named(
    pairs: Path, model: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    write_picture(Picture(pixels=scene(41, 50)), pairs / "target" / "1.png")
    assert main(["evaluate", "--data", str(pairs), "--model", str(model)]) == 2
    error = capsys.readouterr().err
    assert "1.png: 50 x 40 pixels, but" in error
    assert "50 x 41" in error


def test_pictures_too_small_for_the_ruler_are_named(
    tmp_path: Path, model: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small").mkdir()
    write_picture(Picture(pixels=scene(10, 50)), tmp_path / "small" / "x.png")
    assert main(["evaluate", "--data", str(tmp_path / "small"), "--model", str(model)]) == 2
    assert "x.png: 50 x 10 pixels; SSIM needs at least 11 x 11" in capsys.readouterr().err


def test_labels_of_a_set_are_rows_and_a_pack_is_measured_alike(
    tmp_path: Path, model: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "cdd"
    for folder, gain in (("clear", 1.0), ("haze", 0.5), ("low_rain", 0.25)):
        (root / folder).mkdir(parents=True)
        write_picture(Picture(pixels=scene(40, 50) * np.float32(gain)), root / folder / "1.png")
    assert main(["data", "pack", str(root), "-o", str(tmp_path / "pack")]) == 0
    capsys.readouterr()
    rows = []
    for data in (f"{root}:cdd11", str(root), str(tmp_path / "pack")):
        assert main(["evaluate", "--data", data, "--model", str(model), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["data"] == ("pack" if data.endswith("pack") else "cdd")
        rows.append(found["rows"])
    assert [(row["label"], row["pictures"]) for row in rows[0]] == [("haze", 1), ("low_rain", 1)]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0][0]["psnr_in"] > rows[0][1]["psnr_in"]


def test_a_missing_half_is_named(pairs: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (pairs / "target").iterdir():
        path.unlink()
    assert main(["evaluate", "--data", str(pairs), "--model", str(model)]) == 2
    assert "0.png: no clean picture for it; looked for target/0" in capsys.readouterr().err
