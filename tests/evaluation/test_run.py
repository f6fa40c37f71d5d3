from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from undegrade.degradations import DEGRADATIONS, TEN, parse
from undegrade.evaluation.run import Row, centre_crop, evaluate, measure
from undegrade.evaluation.suite import Suite
from undegrade.metrics import psnr, quantise, ssim

Photo = NDArray[np.float32]


def photo(seed: int = 0, height: int = 60, width: int = 50) -> Photo:
    coarse = np.random.default_rng(seed).random((3, height // 5, width // 5)).astype(np.float32)
    return 0.1 + 0.8 * coarse.repeat(5, 1).repeat(5, 2)


def identity(picture: Photo) -> tuple[Photo, str]:
    return picture, "noise"


SUITE = Suite(degradations=tuple(parse(text) for text in ("noise", "haze", "mosaic")), crop=32)


def test_the_identity_gains_nothing() -> None:
    rows = evaluate(identity, [photo(0), photo(1)], SUITE)
    assert [row.label for row in rows] == ["noise", "haze", "mosaic", "clean"]
    for row in rows:
        assert row.gain == 0
        assert row.psnr_out == row.psnr_in
        assert row.ssim_out == row.ssim_in
        assert row.worse == 0
        assert row.pictures == 2
        assert row.named == (1.0 if row.label == "noise" else 0.0)
    assert all(row.psnr_in < 40 for row in rows[:3])
    assert rows[3].psnr_in == 100


def test_each_picture_is_spoiled_at_the_middle_from_its_own_seed() -> None:
    seen: list[Photo] = []

    def look(picture: Photo) -> tuple[Photo, str]:
        seen.append(picture)
        return picture, ""

    pictures = [photo(0), photo(1)]
    suite = Suite(degradations=(parse("noise(sigma=10..30)"),), crop=32, clean=False)
    evaluate(look, iter(pictures), suite)
    for number, picture in enumerate(pictures):
        rng = torch.Generator().manual_seed(number)
        clean = torch.from_numpy(centre_crop(picture, 32).copy())
        expected = DEGRADATIONS["noise"]().degrade(clean, rng, {"sigma": 20.0})
        np.testing.assert_array_equal(seen[number], quantise(expected.numpy()))


def test_the_same_pictures_are_measured_each_time() -> None:
    assert evaluate(identity, [photo()], SUITE) == evaluate(identity, [photo()], SUITE)


def test_without_the_clean_row_there_is_none() -> None:
    suite = Suite(degradations=SUITE.degradations, crop=32, clean=False)
    assert [row.label for row in evaluate(identity, [photo()], suite)] == ["noise", "haze", "mosaic"]


def test_the_standard_suite_holds_the_ten_in_order() -> None:
    assert [d.label for d in Suite().degradations] == list(TEN)
    assert all(degradation == DEGRADATIONS[degradation.label]() for degradation in Suite().degradations)


def pairs_and_restorer() -> tuple[list[tuple[Photo, Photo]], Callable[[Photo], tuple[Photo, str]]]:
    """Three pairs, and a restorer that knows the answers."""
    pairs, answers = [], {}
    for seed in range(3):
        clean = photo(seed)
        degraded = np.float32(clean * 0.5)
        pairs.append((degraded, clean))
        answers[quantise(degraded).tobytes()] = clean
    return pairs, lambda degraded: (answers[degraded.tobytes()], "low_light")


def test_a_perfect_restorer_has_the_ceiling() -> None:
    pairs, restore = pairs_and_restorer()
    row = measure(restore, pairs, label="dark", truth="low_light")
    assert row.label == "dark"
    assert row.pictures == 3
    assert row.psnr_out == 100
    assert row.ssim_out == pytest.approx(1, abs=1e-6)
    assert row.named == 1
    assert row.worse == 0
    expected = [psnr(quantise(d), quantise(c)) for d, c in pairs]
    assert row.psnr_in == pytest.approx(np.mean(expected))
    assert row.gain == pytest.approx(100 - np.mean(expected))
    assert row.ssim_in == pytest.approx(np.mean([ssim(quantise(d), quantise(c)) for d, c in pairs]))


def test_a_harmful_restorer_is_told_so() -> None:
    pairs, perfect = pairs_and_restorer()
    first = quantise(pairs[0][0])

    def restore(degraded: Photo) -> tuple[Photo, str]:
        return (1 - degraded if np.array_equal(degraded, first) else perfect(degraded)[0]), "rain"

    row = measure(restore, pairs, label="dark", truth="low_light")
    assert row.worse == pytest.approx(1 / 3)
    assert row.named == 0


def test_where_the_truth_is_unknown_nothing_is_said_of_the_names() -> None:
    pairs, restore = pairs_and_restorer()
    assert measure(restore, pairs, label="own", truth=None).named is None


def test_of_a_model_that_names_nothing_nothing_is_said_of_the_names() -> None:
    pairs, restore = pairs_and_restorer()
    assert measure(lambda degraded: (restore(degraded)[0], None), pairs, label="own", truth="noise").named is None


def test_values_beyond_the_range_are_clipped_before_they_are_measured() -> None:
    clean = np.ones((3, 16, 16), np.float32)
    row = measure(lambda degraded: (clean * 3, ""), [(clean * 0.5, clean)], label="", truth=None)
    assert row.psnr_out == 100


def test_quantised_values_are_on_8_bit_levels() -> None:
    values = quantise(np.array([[[-0.5, 0.0, 0.5001, 1 / 255, 0.9999, 7.0]]], np.float32))
    assert (values * 255).round(4).tolist() == [[[0, 0, 128, 1, 255, 255]]]
    assert values.dtype == np.float32


@pytest.mark.parametrize(("size", "side", "expected"), [((9, 7), 3, (3, 3)), ((4, 10), 6, (4, 6)), ((5, 5), 8, (5, 5))])
def test_the_centre_is_cropped(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    picture = np.zeros((3, *size), np.float32)
    picture[:, size[0] // 2, size[1] // 2] = 1
    cropped = centre_crop(picture, side)
    assert cropped.shape == (3, *expected)
    assert cropped[0, expected[0] // 2, expected[1] // 2] == 1


def test_the_gain_is_out_minus_in() -> None:
    row = Row(label="", pictures=1, psnr_in=20, psnr_out=23.5, ssim_in=0, ssim_out=0, named=0, worse=0)
    assert row.gain == 3.5
