"""What is asked for is what the clean picture lacks."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from undegrade.batch import CLEAN
from undegrade.data.folder import CleanFolder
from undegrade.data.mixture import Mixture, MixtureConfig
from undegrade.degradations import COMPOUNDS, DEGRADATIONS, replay

NAMES = ("noise", "haze", "mosaic")
CONFIG = MixtureConfig(
    degradations=tuple(DEGRADATIONS[name]() for name in NAMES), second=0.5, partly=0.5, untold=4, seed=3
)


@pytest.fixture
def photos(photo_file: Path) -> CleanFolder:
    return CleanFolder(photo_file.parent)


def mixture(photos: CleanFolder, config: MixtureConfig = CONFIG) -> Mixture:
    return Mixture(photos, config, batch=8, crop=16)


def test_what_is_left_is_what_was_not_asked_for(photos: CleanFolder) -> None:
    data = mixture(photos)
    untouched = Mixture(photos, replace(CONFIG, second=0.0, partly=0.0, untold=0), batch=8, crop=16)
    ways = Counter[str]()
    for number in range(160):
        degraded, left, label, records, wanted = data.asked(number)
        clean = untouched.sample(number)[1]
        names = [CONFIG.labels[index] for index in wanted]
        kept = tuple(record for record in records if wanted and record.degradation not in names)
        assert torch.equal(degraded, replay(clean, records) if records else clean)
        assert torch.equal(left, replay(clean, kept) if kept else clean)
        done = {record.degradation for record in records}
        assert (CONFIG.labels[label] == CLEAN) == (not done)
        assert not wanted or label < 1 or CONFIG.labels[label] in done
        if not wanted:
            assert number % 4 == 0
            assert len(records) <= 1
            ways["untold"] += 1
        elif not set(names) & done:
            assert torch.equal(degraded, left)
            ways["in vain" if names != [CLEAN] else "clean"] += 1
        else:
            ways["partly" if kept else "all"] += 1
    assert ways.keys() == {"untold", "in vain", "clean", "partly", "all"}
    assert ways["untold"] == 40


def test_of_two_one_at_a_time_is_wanted(photos: CleanFolder) -> None:
    data = mixture(photos, replace(CONFIG, second=1.0, partly=0.0, singly=1.0, untold=0))
    which = Counter[bool]()
    for number in range(80):
        _, _, label, records, wanted = data.asked(number)
        if CONFIG.labels[label] != CLEAN:
            assert len(records) == 2
            (one,) = wanted
            which[CONFIG.labels[one] == records[0].degradation] += 1
    assert min(which.values()) > 20  # the lower and the upper


def test_what_comes_often_is_often_the_second(photos: CleanFolder) -> None:
    often = replace(CONFIG, weights=(1, 1, 1, 9), second=1.0, untold=0)  # mosaic
    both = [
        {record.degradation for record in mixture(photos, config).asked(number)[3]} - {"mosaic"}
        for config in (often, replace(often, weights=()))
        for number in range(120)
    ]
    without = [sum(len(names) == 2 for names in half) for half in (both[:120], both[120:])]
    assert without[0] < 0.5 * without[1]  # noise with haze
    never = replace(often, weights=(1, 1, 0, 0))
    assert all(len(mixture(photos, never).asked(number)[3]) <= 1 for number in range(20))


def test_a_batch_says_what_is_wanted(photos: CleanFolder) -> None:
    batch = mixture(photos).make_batch(2)
    assert batch.wanted is not None
    assert batch.wanted.shape == (8, len(CONFIG.labels))
    for row, number in zip(batch.wanted, batch.numbers, strict=True):
        assert tuple(row.nonzero()[:, 0].tolist()) == tuple(sorted(mixture(photos).asked(number)[4]))


def test_where_nothing_is_kept_everything_is_wanted(photos: CleanFolder) -> None:
    plain = mixture(photos, replace(CONFIG, second=0.0, partly=0.0, untold=0))
    for number in range(12):
        _, _, label, _, wanted = plain.asked(number)
        assert wanted == (label,)


@pytest.mark.parametrize(("field", "value"), [("second", 1.5), ("partly", -0.1), ("singly", 2.0), ("untold", -1)])
def test_impossible_shares_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"MixtureConfig\.{field} is {value}"):
        replace(CONFIG, **{field: value})  # type: ignore[arg-type]


def test_what_is_in_a_composite_is_not_asked_for_in_vain(photos: CleanFolder) -> None:
    steps = (COMPOUNDS["cdd11_haze_rain"], DEGRADATIONS["rain"](), DEGRADATIONS["noise"]())
    data = mixture(photos, MixtureConfig(degradations=steps, partly=1.0))
    for number in range(60):
        _, _, label, _, wanted = data.asked(number)
        in_vain = data.config.labels[wanted[0]]
        assert wanted != (label,)
        assert data.config.labels[label] == CLEAN or {in_vain, data.config.labels[label]} != {"cdd11_haze_rain", "rain"}


def test_pairs_are_untold_too() -> None:
    picture = np.full((3, 16, 16), 9, np.uint8)
    config = MixtureConfig(pairs=("haze",), clean_class=False, untold=4)
    data = Mixture(None, config, pairs=[Given(picture)], batch=4, crop=8)  # type: ignore[list-item]
    assert [data.asked(number)[4] for number in range(5)] == [(), (0,), (0,), (0,), ()]


class Given:
    """One pair from memory."""

    label = "haze"

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        self.picture = picture

    def __len__(self) -> int:
        return 1

    def load_pair(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return 255 - self.picture, self.picture
