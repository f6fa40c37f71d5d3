from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from undegrade.degradations import DEGRADATIONS
from undegrade.errors import UndegradeError
from undegrade.evaluation.rulers import RULERS
from undegrade.evaluation.run import INPUT, Plan, Score, carry_out, centre_crop, make
from undegrade.evaluation.work import Work, find_work
from undegrade.images import Picture, read_picture, write_picture
from undegrade.metrics import psnr, quantise

Photo = NDArray[np.float32]


def darker(degraded: Photo, kind: str | None) -> tuple[Photo, str]:
    return degraded * np.float32(0.5), "noise"


def wise(degraded: Photo, kind: str | None) -> tuple[Photo, str]:
    """Knows what is wrong, and that it is darkness by a half."""
    return degraded * np.float32(2), kind or ""


def open_known(name: str) -> Callable[[Photo, str | None], tuple[Photo, str]]:
    return {"darker": darker, "wise": wise}[name]


def plan_of(work: Work, ruler: str = "undegrade", **changes: object) -> Plan:
    return Plan(data=work.folder, layout=work.layout, ruler=RULERS[ruler], **changes)  # type: ignore[arg-type]


def test_the_input_comes_first_and_gives_back_what_it_is_given(clean_set: Path) -> None:
    work = find_work(clean_set, None, suite="generated_10d", crop=32)
    scores = list(carry_out(plan_of(work), work.tasks, ["darker"], open_known))
    assert len(scores) == 2 * 11 * 3
    assert [score.model for score in scores[::33]] == [INPUT, "darker"]
    noise = scores[0]
    degraded, clean = make(plan_of(work), work.tasks[0])
    assert noise.values["psnr"] == psnr(degraded, clean)
    assert noise.named is None
    assert scores[33].named == "noise"
    assert [s.values["psnr"] for s in scores[30:33]] == [100, 100, 100]  # clean ones


def test_pictures_are_spoiled_at_the_middle_from_their_own_seeds(clean_set: Path) -> None:
    work = find_work(clean_set, None, suite="generated_10d", crop=32)
    for task in work.tasks[:3]:
        degraded, clean = make(plan_of(work), task)
        rng = torch.Generator().manual_seed(task.number)
        expected = DEGRADATIONS["noise"]().degrade(torch.from_numpy(clean), rng, {"sigma": 25.0})
        np.testing.assert_array_equal(degraded, quantise(expected.numpy()))


def test_levels_are_of_each_severity(clean_set: Path) -> None:
    work = find_work(clean_set, None, suite="generated_severity", crop=0)
    task = next(task for task in work.tasks if task.row == "noise 0.1")
    degraded, clean = make(plan_of(work), task)
    assert np.std(degraded - clean) * 255 == pytest.approx(5, rel=0.1)


def test_mixtures_are_made_again_from_their_seeds(clean_set: Path) -> None:
    work = find_work(clean_set, None, suite="generated_mixed", crop=32)
    task = next(task for task in work.tasks if task.row == "cdd11_low_haze_rain")
    (one, clean), (other, _) = make(plan_of(work), task), make(plan_of(work), task)
    np.testing.assert_array_equal(one, other)
    assert one.mean() < clean.mean()


def test_a_ruler_brings_its_own_noise(clean_set: Path) -> None:
    work = find_work(clean_set, None, suite="generated_5d", crop=32)
    task = next(task for task in work.tasks if task.kind == "noise")
    degraded, clean = make(plan_of(work, "dcpt"), task)
    np.testing.assert_array_equal(degraded, RULERS["dcpt"].noisy(clean, 25))
    rain = next(task for task in work.tasks if task.kind == "rain")
    np.testing.assert_array_equal(make(plan_of(work, "dcpt"), rain)[0], make(plan_of(work), rain)[0])


def test_pairs_are_given_as_they_are(pair_set: Path) -> None:
    work = find_work(pair_set, None, suite=None)
    scores = list(carry_out(plan_of(work), work.tasks, ["wise"], open_known))
    assert [score.row for score in scores] == ["dark"] * 4
    assert all(score.values["psnr"] > 45 for score in scores[2:])
    assert all(score.values["psnr"] < 20 for score in scores[:2])


def test_what_is_known_is_left_out(pair_set: Path) -> None:
    work = find_work(pair_set, None, suite=None)
    done = [("wise", "dark", "p0"), ("input", "dark", "p1")]
    scores = list(carry_out(plan_of(work), work.tasks, ["wise"], open_known, done=done))
    assert [score.key for score in scores] == [("input", "dark", "p0"), ("wise", "dark", "p1")]


def test_several_processes_find_the_same(clean_set: Path) -> None:
    work = find_work(clean_set, None, suite="generated_5d", crop=32)

    def values(scores: list[Score]) -> list[object]:
        return [(score.key, score.values, score.named) for score in scores]

    # `str` stands for what makes models: the input needs none. With models: tests/cli/test_evaluate.py.
    alone = list(carry_out(plan_of(work), work.tasks, [], str))  # type: ignore[arg-type]
    together = list(carry_out(plan_of(work), work.tasks, [], str, workers=2))  # type: ignore[arg-type]
    assert values(alone) == values(together)


def test_the_pictures_of_another_program_are_scored(pair_set: Path, tmp_path: Path) -> None:
    work = find_work(pair_set, None, suite=None)
    (tmp_path / "theirs").mkdir()
    write_picture(read_picture(pair_set / "target" / "p0.png"), tmp_path / "theirs" / "p0.png")
    model = f"outputs:{tmp_path / 'theirs'}"
    scores = list(carry_out(plan_of(work), work.tasks, [model], open_known))
    assert scores[2].values["psnr"] == 100
    assert scores[3].values == {}
    assert "p1.*: no picture of that name; expected one" in scores[3].error


def test_pictures_are_kept_and_can_be_scored_again(clean_set: Path, tmp_path: Path) -> None:
    work = find_work(clean_set, None, suite="generated_5d", crop=32)
    plan = plan_of(work, images=tmp_path / "kept")
    scores = list(carry_out(plan, work.tasks, ["darker"], open_known))
    again = list(carry_out(plan_of(work), work.tasks, [f"outputs:{tmp_path / 'kept' / 'darker'}"], open_known))
    count = len(work.tasks)
    assert [s.values for s in again[count:]] == [s.values for s in scores[count:]]
    inputs = read_picture(tmp_path / "kept" / "input" / "noise" / "p0.png").pixels
    noise = next(task for task in work.tasks if task.kind == "noise")
    np.testing.assert_array_equal(inputs, make(plan, noise)[0])


def test_a_pair_of_unequal_sizes_is_named_and_the_rest_goes_on(pair_set: Path, photo: Callable) -> None:
    write_picture(Picture(pixels=photo(0, 61, 50)), pair_set / "target" / "p0.png")
    work = find_work(pair_set, None, suite=None)
    scores = list(carry_out(plan_of(work), work.tasks, ["wise"], open_known))
    assert ["p0.png: 50 x 60 pixels, but" in score.error for score in scores] == [True, False, True, False]


def test_a_restorer_of_another_size_is_told_so(pair_set: Path) -> None:
    work = find_work(pair_set, None, suite=None)
    scores = list(carry_out(plan_of(work), work.tasks, ["x"], lambda name: lambda d, kind: (d[:, 1:], None)))
    assert scores[-1].error == "the restored picture has 50 x 59 pixels, the clean one 50 x 60"


def test_the_work_is_what_fits_the_pictures(clean_set: Path, pair_set: Path) -> None:
    assert find_work(clean_set, None, suite=None).suite == "generated_10d"
    work = find_work(pair_set, None, suite=None)
    assert (work.suite, work.data, work.problems) == ("dark", "dark", ())


def test_the_standard_set_is_checked(tmp_path: Path, clean_set: Path) -> None:
    clean_set.rename(tmp_path / "Kodak24")
    for data in (tmp_path, tmp_path / "Kodak24"):
        work = find_work(data, None, suite="generated_5d", on="Kodak24")
        assert (work.suite, work.data) == ("generated_5d", "Kodak24")
        assert "3 pictures, and Kodak24 has 24" in work.problems[0]
    assert find_work(tmp_path, None, suite="generated_5d").data == "Kodak24"
    assert {task.row for task in find_work(tmp_path, None, suite="Kodak24").tasks} == {
        "noise(sigma=15)",
        "noise(sigma=25)",
        "noise(sigma=50)",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"suite": None}, "--data: missing"),
        ({"suite": "GoPro", "on": "Kodak24"}, "--on: GoPro is a set of its own"),
        ({"suite": "generated_5d", "on": "Kodak"}, "--on: 'Kodak' is not known"),
        ({"suite": "none"}, "--suite: 'none' is not known"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, str | None], message: str) -> None:
    with pytest.raises(UndegradeError, match=message):
        find_work(None, None, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "side", "expected"), [((9, 7), 3, (3, 3)), ((4, 10), 6, (4, 6)), ((5, 5), 8, (5, 5))])
def test_the_centre_is_cropped(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    picture = np.zeros((3, *size), np.float32)
    picture[:, size[0] // 2, size[1] // 2] = 1
    cropped = centre_crop(picture, side)
    assert cropped.shape == (3, *expected)
    assert cropped[0, expected[0] // 2, expected[1] // 2] == 1
