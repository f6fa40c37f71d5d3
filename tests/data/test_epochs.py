"""What is seen how often: from shards, whichever process and worker makes it."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from undegrade.data.mixture import Mixture, MixtureConfig, batches, open_mixture
from undegrade.data.pairs import find_whole
from undegrade.data.shards import write_shards
from undegrade.degradations import parse

Tree = Callable[..., Path]

COUNT, BATCH = 12, 4
CONFIG = MixtureConfig(degradations=(parse("noise"), parse("mosaic")), weights=(1, 2, 1), each_once=True)


@pytest.fixture
def shards(tree: Tree, tmp_path: Path) -> Path:
    """Twelve pictures in several shards."""
    photos = tree(*(f"{number:02d}.png" for number in range(COUNT)))
    assert write_shards(find_whole(photos), tmp_path / "shards", size_mb=0.02) > 1
    return tmp_path / "shards"


def opened(folder: Path, rank: int = 0, ranks: int = 1) -> Mixture:
    return open_mixture(CONFIG, folder, (), part="all", holdout=0, batch=BATCH, crop=8, share=(rank, ranks))


def test_each_label_goes_through_all_pictures_before_it_sees_one_again(shards: Path) -> None:
    data = opened(shards)
    seen: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for number in range(4 * COUNT * 2):
        seen[data._turn(number)[0]].append(data.picture(number))
    assert [len(pictures) for pictures in seen.values()] == [2 * COUNT, 4 * COUNT, 2 * COUNT]
    for pictures in seen.values():
        for begin in range(0, len(pictures), COUNT):
            assert sorted(pictures[begin : begin + COUNT]) == list(range(COUNT))
    assert seen[0][:COUNT] != seen[0][COUNT:]


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_share_an_epoch_to_the_last_sample(ranks: int, shards: Path) -> None:
    epoch = 4 * COUNT  # samples: each block of four has one of two labels, and two of the third
    made = [
        number
        for rank in range(ranks)
        for step in range(epoch // BATCH)
        for number in opened(shards, rank, ranks).make_batch(step).numbers
    ]
    assert Counter(made) == Counter(range(epoch))
    whole = opened(shards)
    shown = Counter((whole._turn(number)[0], whole.picture(number)) for number in made)
    assert shown == {(label, picture): 1 + (label == 1) for label in range(3) for picture in range(COUNT)}


@pytest.mark.slow
def test_workers_share_a_rank_to_the_last_sample(shards: Path) -> None:
    made = batches(opened(shards, 1, 2), workers=2)
    numbers = [number for _, batch in zip(range(6), made, strict=False) for number in batch.numbers]
    assert numbers == [number for step in range(6) for number in (4 * step + 2, 4 * step + 3)]


def test_pictures_that_are_drawn_stay_those_that_they_were(shards: Path) -> None:
    drawn = Mixture(opened(shards).photos, MixtureConfig(degradations=CONFIG.degradations), batch=4, crop=8)
    assert [drawn.picture(number) for number in range(6)] == [drawn.picture(number) for number in range(6)]
    assert len({drawn.picture(number) for number in range(40)}) > 6
