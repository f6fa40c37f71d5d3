from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from undegrade.batch import CLEAN, Batch
from undegrade.data.folder import CleanFolder
from undegrade.data.mixture import Mixture, MixtureConfig, batches
from undegrade.degradations import Chain, parse
from undegrade.degradations import replay as replay_records

CONFIG = MixtureConfig(degradations=tuple(parse(text) for text in ("noise", "haze", "jpeg(quality=10..30)", "mosaic")))
LABELS = len(CONFIG.labels)


def mixture(photos: Path, *, batch: int = 4, first: int = 0, crop: int = 24, config: MixtureConfig = CONFIG) -> Mixture:
    return Mixture(CleanFolder(photos), config, batch=batch, crop=crop, first=first)


def same(left: Batch, right: Batch) -> bool:
    return all(torch.equal(getattr(left, name), getattr(right, name)) for name in ("degraded", "clean", "label"))


def test_labels_are_clean_and_the_degradations_in_order() -> None:
    assert CONFIG.labels == (CLEAN, "noise", "haze", "jpeg", "mosaic")
    assert MixtureConfig(degradations=CONFIG.degradations, clean_class=False).labels == CONFIG.labels[1:]


def test_each_block_holds_every_label_once_in_random_order(photos: Path) -> None:
    data = mixture(photos)
    orders = [tuple(data.sample(block * LABELS + i)[2] for i in range(LABELS)) for block in range(12)]
    assert all(sorted(order) == list(range(LABELS)) for order in orders)
    assert len(set(orders)) > 8
    first = Counter(order[0] for order in orders)
    assert max(first.values()) < 8  # no label has a place of its own


def test_labels_come_as_often_as_their_weights_say(photos: Path) -> None:
    data = mixture(photos, config=replace(CONFIG, weights=(2, 0, 1, 3, 1)))
    orders = [tuple(data.sample(block * 7 + i)[2] for i in range(7)) for block in range(6)]
    assert all(sorted(order) == [0, 0, 2, 3, 3, 3, 4] for order in orders)
    assert len(set(orders)) > 3


def test_the_strongest_levels_alone_can_be_drawn(photos: Path) -> None:
    data = mixture(photos, config=replace(CONFIG, levels=(0.9, 1.0)))
    records = [record for number in range(20) for record in data.sample(number)[3]]
    assert all(45 <= r.severities["sigma"] <= 50 for r in records if r.degradation == "noise")
    assert all(10 <= r.severities["quality"] <= 12 for r in records if r.degradation == "jpeg")


def test_no_two_samples_share_a_seed(photos: Path) -> None:
    data = mixture(photos)
    seeds = [record.seed for number in range(100) for record in data.sample(number)[3]]
    assert len(set(seeds)) == len(seeds) == 80


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weights": (1, 2)}, r"MixtureConfig.weights is \(1, 2\); expected one"),
        ({"weights": (0,) * 5}, "MixtureConfig.weights is"),
        ({"levels": (0.5, 0.2)}, "MixtureConfig.levels is"),
        ({"levels": (0.0, 2.0)}, "MixtureConfig.levels is"),
    ],
)
def test_a_mixture_that_cannot_be_drawn_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **fields)


def test_compounds_are_labels_too(photos: Path) -> None:
    chain = Chain(label="storm", steps=(parse("rain"), parse("noise")))
    data = mixture(photos, config=MixtureConfig(degradations=(chain,), clean_class=False))
    degraded, clean, label, records = data.sample(0)
    assert (data.config.labels, label) == (("storm",), 0)
    assert [record.degradation for record in records] == ["rain", "noise"]
    assert torch.equal(replay_records(clean, records), degraded)


def test_labels_name_what_was_done(photos: Path) -> None:
    data = mixture(photos, crop=32)
    for number in range(3 * LABELS):
        degraded, clean, label, records = data.sample(number)
        assert [r.degradation for r in records] == [CONFIG.labels[label]] * (CONFIG.labels[label] != CLEAN)
        assert torch.equal(replay_records(clean, records), degraded)
        assert degraded.shape == clean.shape == (3, 32, 32)
        assert degraded.dtype == clean.dtype == torch.float32
        assert torch.equal(degraded, clean) == (CONFIG.labels[label] == CLEAN)
        if CONFIG.labels[label] == "mosaic":
            assert ((degraded == clean).float().mean((1, 2)) > 0.24).all()
        levels = clean * 255
        torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)


def test_without_the_clean_class_everything_is_spoiled(photos: Path) -> None:
    config = MixtureConfig(degradations=CONFIG.degradations, clean_class=False)
    data = mixture(photos, config=config)
    samples = [data.sample(number) for number in range(8)]
    assert sorted(label for _, _, label, _ in samples) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert not any(torch.equal(degraded, clean) for degraded, clean, *_ in samples)


def test_a_sample_depends_on_its_number_and_the_seed_alone(photos: Path) -> None:
    data, other = mixture(photos), mixture(photos, batch=7, first=99)
    for number in (0, 13, 1_000_003):
        before = torch.get_rng_state()
        first = data.sample(number)
        np.random.default_rng().random()
        torch.rand(1, generator=torch.Generator())
        again = other.sample(number)
        assert all(torch.equal(a, b) for a, b in zip(first[:2], again[:2], strict=True))
        assert first[2:] == again[2:]
        assert torch.equal(torch.get_rng_state(), before)
    reseeded = mixture(photos, config=MixtureConfig(degradations=CONFIG.degradations, seed=1))
    assert any(not torch.equal(data.sample(n)[1], reseeded.sample(n)[1]) for n in range(3))


def test_patches_come_from_everywhere_and_all_ways_round(photos: Path) -> None:
    """A picture with one bright corner pixel shows it in all eight places of an uncropped square patch."""
    data = mixture(photos, crop=40)
    marked = np.zeros((3, 40, 40), np.uint8)
    marked[:, 0, 1] = 255
    data.photos._cache = dict.fromkeys(range(12), marked)
    places = {tuple(data.sample(number)[1][0].nonzero()[0].tolist()) for number in range(120)}
    assert len(places) == 8
    wide = mixture(photos, crop=8)
    columns = np.broadcast_to(np.arange(52, dtype=np.uint8), (3, 40, 52)).copy()
    wide.photos._cache = dict.fromkeys(range(12), columns)
    starts = {round(wide.sample(number)[1].min().item() * 255) for number in range(400)}
    assert starts == set(range(45))


def test_all_photos_are_used(photos: Path) -> None:
    data = mixture(photos)
    data.photos._cache = {i: np.full((3, 24, 24), i, np.uint8) for i in range(12)}
    assert {round(data.sample(number)[1].mean().item() * 255) for number in range(120)} == set(range(12))


@pytest.mark.parametrize("crop", [48, 64, 130])
def test_a_photo_smaller_than_the_patch_is_mirrored(photos: Path, crop: int) -> None:
    degraded, clean, *_ = mixture(photos, crop=crop).sample(1)
    assert degraded.shape == clean.shape == (3, crop, crop)
    assert clean.std() > 0.1


def test_a_batch_is_its_samples(photos: Path) -> None:
    data = mixture(photos, batch=3)
    made = data.make_batch(5)
    samples = [data.sample(number) for number in (15, 16, 17)]
    assert torch.equal(made.degraded, torch.stack([s[0] for s in samples]))
    assert torch.equal(made.clean, torch.stack([s[1] for s in samples]))
    assert made.label.tolist() == [s[2] for s in samples]
    assert made.label.dtype == torch.int64
    assert made.records == tuple(s[3] for s in samples)


def test_a_resumed_mixture_goes_on_where_it_was(photos: Path) -> None:
    whole = list(islice(batches(mixture(photos), workers=0), 5))
    resumed = list(islice(batches(mixture(photos, first=3), workers=0), 2))
    assert all(same(a, b) for a, b in zip(whole[3:], resumed, strict=True))
    assert not same(whole[0], resumed[0])


def test_batches_made_in_this_process_leave_torchs_threads_alone(photos: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        next(batches(mixture(photos), workers=0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_two_workers_make_the_same_batches(photos: Path) -> None:
    here = list(islice(batches(mixture(photos), workers=0), 5))
    there = list(islice(batches(mixture(photos), workers=2), 5))
    assert all(same(a, b) for a, b in zip(here, there, strict=True))


def test_a_batch_moves_in_channels_last_order(photos: Path) -> None:
    made = mixture(photos).make_batch(0)
    moved = made.to("cpu")
    assert same(made, moved)
    assert moved.degraded.is_contiguous(memory_format=torch.channels_last)
    assert moved.clean.is_contiguous(memory_format=torch.channels_last)
