import numpy as np
import pytest

from undegrade.data.folder import CleanFolder
from undegrade.degradations import DEGRADATIONS, TEN
from undegrade.images import Picture, write_picture
from undegrade.metrics import psnr
from undegrade.training.specimens import (
    GUISED,
    GUISES,
    ORDER,
    SEEN,
    SHARES,
    TOGETHER,
    TOGETHER_SHARE,
    UNSEEN,
    draw_specimen,
    first_level,
)

OTHERS = ("halftone", "pixelation")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> CleanFolder:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(3):
        coarse = rng.random((3, 40, 50)).astype(np.float32)
        write_picture(Picture(pixels=coarse.repeat(8, 1).repeat(8, 2)), folder / f"{number}.png")
    return CleanFolder(folder)


def test_the_order_knows_all_kinds() -> None:
    assert set(ORDER) == set(TEN)
    assert sum(SHARES.values()) == pytest.approx(1)


def test_a_specimen_comes_again_from_its_number(photos: CleanFolder) -> None:
    one, same, other = (
        draw_specimen(photos, number, kinds=TEN, others=OTHERS, seed=5, side=64) for number in (7, 7, 8)
    )
    np.testing.assert_array_equal(one.degraded, same.degraded)
    assert one.label == same.label
    assert not np.array_equal(one.clean, other.clean)


def test_what_is_said_of_specimens_is_true(photos: CleanFolder) -> None:
    found = [draw_specimen(photos, number, kinds=TEN, others=OTHERS, seed=0, side=96) for number in range(120)]
    assert {specimen.way for specimen in found} == set(SHARES)
    for specimen in found:
        names = specimen.label.split("+")
        assert specimen.degraded.shape == specimen.clean.shape == (3, 96, 96)
        np.testing.assert_allclose(specimen.degraded * 255, np.round(specimen.degraded * 255), atol=1e-3)
        if specimen.way == "clean":
            np.testing.assert_array_equal(specimen.degraded, specimen.clean)
        if specimen.way in ("clean", "other"):
            assert not specimen.present.any()
            assert np.isnan(specimen.levels).all()
        if specimen.way == "one":
            place = TEN.index(names[0])
            change = psnr(specimen.clean, specimen.degraded)
            expected = 1 if change < SEEN - 1 else 0 if change > UNSEEN + 1 else specimen.present[place]
            assert np.array_equal(specimen.present[place], expected, equal_nan=True)
            guised = names[0] in GUISES and np.isnan(specimen.levels[place])
            assert guised or 0 <= specimen.levels[place] <= 1
        if specimen.way in ("two", "three"):
            assert names == sorted(names, key=ORDER.index)
    dark = [s for s in found if "low_light" in s.label and "noise" not in s.label]
    assert dark
    assert all(np.isnan(s.present[TEN.index("noise")]) for s in dark)  # it brings noise of its own


def test_a_part_of_a_kind_comes_in_a_guise(photos: CleanFolder) -> None:
    place = TEN.index("noise")
    found = [draw_specimen(photos, number, kinds=TEN, others=(), seed=0, side=32) for number in range(400)]
    levels = np.array([specimen.levels[place] for specimen in found if "noise" in specimen.label.split("+")])
    assert np.isnan(levels).mean() == pytest.approx(GUISED, abs=0.2)


def test_in_a_camera_s_file_nobody_can_say_whether_jpeg_is_there(photos: CleanFolder) -> None:
    found = [draw_specimen(photos, number, kinds=TEN, others=(), seed=0, side=32) for number in range(500)]
    noisy = [s for s in found if "noise" in s.label.split("+") and "jpeg" not in s.label.split("+")]
    guised = [np.isnan(s.levels[TEN.index("noise")]) for s in noisy]
    doubtful = [np.isnan(s.present[TEN.index("jpeg")]) for s in noisy]
    assert not any(doubt for guise, doubt in zip(guised, doubtful, strict=True) if not guise)
    assert 0 < sum(doubtful) < sum(guised)  # in one of three guises


def test_darkness_and_haze_come_together_more_often_than_by_chance(photos: CleanFolder) -> None:
    found = [draw_specimen(photos, number, kinds=TEN, others=(), seed=0, side=32) for number in range(600)]
    several = [set(s.label.split("+")) for s in found if s.way in ("two", "three")]
    assert sum(set(TOGETHER) <= names for names in several) / len(several) == pytest.approx(TOGETHER_SHARE, abs=0.1)


def test_without_others_none_are_drawn(photos: CleanFolder) -> None:
    ways = {draw_specimen(photos, number, kinds=TEN, others=(), seed=0, side=32).way for number in range(60)}
    assert ways == {"clean", "one", "two", "three"}


@pytest.mark.parametrize("name", TEN)
def test_the_first_severity_says_the_level(name: str) -> None:
    step = DEGRADATIONS[name]()
    for level in (0.0, 0.25, 1.0):  # whole numbers lie beside it
        expected = level if step.units() else 1.0
        assert first_level(name, step.at_level(level)) == pytest.approx(expected, abs=0.03)
