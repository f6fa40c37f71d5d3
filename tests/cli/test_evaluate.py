import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_row_for_each_degradation_and_one_for_clean_pictures(
    photo_file: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--data", str(photo_file.parent), "--model", str(model), "--crop", "32", "--json"]) == 0
    found = said(capsys)
    (run,) = found["runs"]
    assert (run["suite"], run["data"], run["crop"], run["ruler"]) == ("generated_10d", "in", 32, "undegrade")
    assert run["complete"] is True
    own = [row for row in run["rows"] if row["model"] == str(model)]
    assert [row["row"] for row in own][-2:] == ["clean", "mean"]
    assert len(own) == 12
    before = {row["row"]: row["values"]["psnr"] for row in run["rows"] if row["model"] == "input"}
    assert all(row["gain"] == pytest.approx(row["values"]["psnr"] - before[row["row"]]) for row in own)
    assert {row["row"]: row["named"] for row in own}["rain"] == 1  # the model says rain to everything
    assert found["weights"][str(model)]
    assert {"command", "date", "machine", "versions"} <= set(found)
    assert found["cost"]["seconds"] > 0


def test_the_ruler_stands_beside_every_number(pairs: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", "--data", str(pairs), "--model", str(model), "--ruler", "dcpt", "--ruler", "maskdcpt"]
    assert main(arguments) == 0
    table = capsys.readouterr().out
    for name in ("dcpt", "maskdcpt"):
        assert f"pairs on pairs, ruler {name}: RGB" in table
        assert f"PSNR, dB ({name})" in table
        assert f"SSIM ({name})" in table
    lines = [line.split() for line in table.splitlines() if " pairs " in line and "ruler" not in line]
    assert [line[0] for line in lines] == ["input", str(model)] * 2


def test_a_run_goes_on_where_it_was_broken_off(
    pairs: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "scores.csv"
    arguments = ["evaluate", "--data", str(pairs), "--model", str(model), "--json", "--csv", str(kept)]
    assert main(arguments) == 0
    whole = said(capsys)
    lines = kept.read_text().splitlines()
    assert len(lines) == 1 + 2 * 2
    kept.write_text("\n".join(lines[:4]) + "\n")
    assert main(arguments) == 2
    assert "exists; --resume goes on with it" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0
    again = said(capsys)
    for one, other in zip(whole["runs"][0]["rows"], again["runs"][0]["rows"], strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_the_page_holds_every_ruler_and_asks_for_nothing(
    pairs: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "--data", str(pairs), "--model", str(model), "--ruler", "undegrade", "--ruler", "y"]
    page = tmp_path / "page.html"
    assert main([*arguments, "--metric", "ms_ssim", "--html", str(page)]) == 1  # too small for it
    assert "ms_ssim needs at least 176 a side" in capsys.readouterr().err
    assert "INCOMPLETE" in page.read_text()
    assert main([*arguments, "--html", str(page)]) == 0
    text = page.read_text()
    assert "INCOMPLETE" not in text
    assert "(y)" in text
    assert "(undegrade)" in text
    assert "://" not in text


def test_two_processes_find_what_one_finds(pairs: Path, model: Path, tmp_path: Path) -> None:
    values = []
    for workers in ("1", "2"):
        kept = tmp_path / f"{workers}.csv"
        arguments = ["evaluate", "--data", str(pairs), "--model", str(model), "--workers", workers, "--csv", str(kept)]
        assert main(arguments) == 0
        with kept.open(newline="") as file:
            values.append([{k: v for k, v in line.items() if k != "seconds"} for line in csv.DictReader(file)])
    assert values[0] == values[1]


def test_the_pictures_of_another_program_stand_beside_it(
    pairs: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, arguments = tmp_path / "kept", ["evaluate", "--data", str(pairs), "--model", str(model), "--json"]
    assert main([*arguments, "--save-images", str(kept)]) == 0
    capsys.readouterr()
    assert main([*arguments, "--outputs", str(kept / model.stem)]) == 0
    (run,) = said(capsys)["runs"]
    _, own, theirs = run["rows"]
    (comparison,) = run["comparisons"]
    assert (comparison["difference"], comparison["p"], comparison["pictures"]) == (0, 1, 2)
    assert own["values"] == theirs["values"]
    assert theirs["model"].startswith("outputs:")


def test_what_is_wrong_with_a_set_is_named_counted_and_ends_with_1(
    pairs: Path, model: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    write_picture(Picture(pixels=scene(41, 50)), pairs / "target" / "1.png")
    write_picture(Picture(pixels=scene(40, 50)), pairs / "input" / "2.png")
    assert main(["evaluate", "--data", str(pairs), "--model", str(model)]) == 1
    shown = capsys.readouterr()
    assert "2.png: no clean picture for it" in shown.err
    assert "1.png: 50 x 40 pixels, but" in shown.err
    assert "50 x 41" in shown.err
    assert "the scores are INCOMPLETE, 3 things were wrong" in shown.err
    assert "1 of 2, INCOMPLETE" in shown.out


def test_a_part_of_a_standard_set_is_incomplete(
    photo_file: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo_file.parent.rename(photo_file.parent.with_name("Kodak24"))
    arguments = ["evaluate", "--suite", "generated_5d", "--on", "Kodak24", "--crop", "32", "--json"]
    assert main([*arguments, "--data", str(photo_file.parent.parent), "--model", str(model)]) == 1
    (run,) = said(capsys)["runs"]
    assert run["complete"] is False
    assert "and Kodak24 has 24" in run["problems"][0]


def test_pictures_too_small_for_the_ruler_are_named(
    tmp_path: Path, model: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small").mkdir()
    write_picture(Picture(pixels=scene(10, 50)), tmp_path / "small" / "x.png")
    assert main(["evaluate", "--data", str(tmp_path / "small"), "--model", str(model)]) == 1
    assert "50 x 10 pixels; ssim needs at least 11 a side" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ruler", "inch"], "--ruler: 'inch' is not known"),
        (["--metric", "beauty"], "metric 'beauty' is not known"),
        (["--suite", "nothing"], "--suite: 'nothing' is not known"),
        (["--model", "fresh:nothing"], "no such network"),
        (["--model", "fresh:nafnet(wide=8)"], "no such network (NAFNet.Config"),
        (["--model", "fresh:nafnet(width)"], "no such network"),
        (["--model", "nothing"], "unknown model 'nothing'"),
        (["--outputs", "nowhere"], "--outputs nowhere: no such folder"),
        (["--resume"], "--resume: goes on with the file of --csv"),
    ],
)
def test_what_is_not_known_is_refused_by_name(
    arguments: list[str], message: str, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--data", str(pairs), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_without_data_it_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate"]) == 2
    assert "--data: missing" in capsys.readouterr().err


@pytest.mark.slow
def test_a_network_with_random_weights_can_be_measured(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--data", str(pairs), "--model", "fresh:nafnet(width=8)", "--json"]) == 0
    first = said(capsys)["runs"][0]["rows"][1]
    assert math.isfinite(first["values"]["psnr"])
    assert first["named"] is None
