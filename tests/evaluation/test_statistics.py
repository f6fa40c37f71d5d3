import numpy as np
import pytest

from undegrade.evaluation.run import INPUT, Score
from undegrade.evaluation.statistics import MEAN, compare, interval, summarise


def scores_of(model: str, values: dict[str, list[float]], **facts: object) -> list[Score]:
    return [
        Score(model=model, row=row, picture=f"p{n}", kind=row, values={"psnr": value}, **facts)  # type: ignore[arg-type]
        for row, of_row in values.items()
        for n, value in enumerate(of_row)
    ]


BEFORE = scores_of(INPUT, {"noise": [20, 22], "rain": [30, 32], "clean": [100, 100]})
AFTER = scores_of("m", {"noise": [25, 27], "rain": [29, 33], "clean": [100, 40]}, named="noise", seconds=2.0)


def test_means_gains_and_names_of_each_row() -> None:
    rows = {(row.model, row.row): row for row in summarise(BEFORE + AFTER, ["psnr"])}
    noise = rows["m", "noise"]
    assert (noise.values["psnr"], noise.gain, noise.worse, noise.named, noise.seconds) == (26, 5, 0, 1, 2)
    rain = rows["m", "rain"]
    assert (rain.gain, rain.worse, rain.named, rain.pictures) == (0, 0.5, 0, 2)
    mean = rows["m", MEAN]
    assert mean.values["psnr"] == 28.5  # clean pictures are not part of it
    assert mean.gain == 2.5
    assert rows[INPUT, "noise"].named is None
    assert list(rows)[:3] == [(INPUT, "noise"), (INPUT, "rain"), (INPUT, "clean")]


def test_one_row_has_no_means_beside_it() -> None:
    assert [row.row for row in summarise(scores_of(INPUT, {"noise": [1, 2]}), ["psnr"])] == ["noise"]


def test_failed_pictures_are_counted_and_not_measured() -> None:
    failed = Score(model="m", row="noise", picture="p1", error="broken")
    rows = {(row.model, row.row): row for row in summarise([*BEFORE, AFTER[0], failed], ["psnr"])}
    assert (rows["m", "noise"].pictures, rows["m", "noise"].failed, rows["m", "noise"].gain) == (1, 1, 5)
    alone = summarise([failed], ["psnr"])
    assert (alone[0].pictures, alone[0].failed, alone[0].values) == (0, 1, {})


def test_the_interval_holds_the_mean_and_narrows_with_more_pictures() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.normal(30, 2, 20), rng.normal(30, 2, 2000)
    for values in (few, many):
        mean, low, high = interval(values)
        assert mean == values.mean()
        error = 1.96 * values.std() / np.sqrt(len(values))
        assert low == pytest.approx(mean - error, abs=0.25 * error)
        assert high == pytest.approx(mean + error, abs=0.25 * error)
    assert interval(few) == interval(few.copy())


def test_the_true_mean_lies_in_most_intervals() -> None:
    rng = np.random.default_rng(2)
    hits = [low <= 5 <= high for _, low, high in (interval(rng.normal(5, 1, 40)) for _ in range(200))]
    assert 0.88 <= np.mean(hits) <= 0.99


def test_models_are_compared_picture_by_picture() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(30, 5, 30)  # pictures differ far more than the models do
    first = scores_of("a", {"noise": list(base + 0.3 + rng.normal(0, 0.1, 30)), "clean": [0.0]})
    second = scores_of("b", {"noise": list(base), "clean": [100.0]})
    found = compare(first + second, "a", "b", "psnr")
    assert found is not None
    assert found.pictures == 30
    assert found.difference == pytest.approx(0.3, abs=0.05)
    assert 0.2 < found.low < found.difference < found.high < 0.4
    assert found.p < 1e-6
    same = compare(second + scores_of("c", {"noise": list(base)}), "b", "c", "psnr")
    assert same is not None
    assert (same.difference, same.p) == (0, 1)
    assert compare(first, "a", "nobody", "psnr") is None
