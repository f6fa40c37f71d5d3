from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from undegrade.batch import CLEAN, Batch
from undegrade.data.folder import CleanFolder
from undegrade.data.mixture import Mixture, MixtureConfig, batches, open_mixture, parts_of
from undegrade.data.pack import write_pack
from undegrade.data.pairs import find_whole
from undegrade.data.places import Place
from undegrade.data.shards import write_shards
from undegrade.degradations import COMPOUNDS, DEGRADATIONS, Chain, find_step, parse
from undegrade.degradations import replay as replay_records
from undegrade.degradations.chain import Maybe, OneOf, RandomOrder
from undegrade.errors import UndegradeError

Tree = Callable[..., Path]

CONFIG = MixtureConfig(degradations=tuple(parse(text) for text in ("noise", "haze", "jpeg(quality=10..30)", "mosaic")))
LABELS = len(CONFIG.labels)


def mixture(photos: Path, *, batch: int = 4, first: int = 0, crop: int = 24, config: MixtureConfig = CONFIG) -> Mixture:
    return Mixture(CleanFolder(photos), config, batch=batch, crop=crop, first=first)


class Given(CleanFolder):
    """Clean pictures, or pairs of a label, that do not lie on disk."""

    def __init__(self, pictures: Sequence[Any], label: str = "") -> None:
        self.pictures, self.label = pictures, label

    def __len__(self) -> int:
        return len(self.pictures)

    def load_pair(self, index: int) -> tuple[Any, Any]:
        return self.pictures[index] if self.label else (self.pictures[index], self.pictures[index])


def same(left: Batch, right: Batch) -> bool:
    names = ("degraded", "clean", "label", "present")
    return all(torch.equal(getattr(left, name), getattr(right, name)) for name in names)


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


def test_families_come_as_often_as_their_weights_say_and_their_members_by_turns(photos: Path) -> None:
    kinds = [kind() for kind in DEGRADATIONS.values() if kind.family in ("noise", "resolution")]
    config = MixtureConfig(degradations=(*kinds, COMPOUNDS["cdd11_haze"]), balance="family", weights=(1, 2, 3, 1))
    assert list(config.families) == ["clean", "noise", "resolution", "mixture"]
    data = mixture(photos, config=config)
    families = {label: name for name, labels in config.families.items() for label in labels}
    drawn = [data._turn(number)[0] for number in range(7 * 14)]
    blocks = [drawn[i : i + 7] for i in range(0, len(drawn), 7)]
    expected = Counter({"clean": 1, "noise": 2, "resolution": 3, "mixture": 1})
    assert all(Counter(families[label] for label in block) == expected for block in blocks)
    # 14 blocks are 28 turns of the 7 kinds of noise and 42 of the 2 of resolution.
    counts = Counter(drawn)
    assert {counts[label] for label in config.families["noise"]} == {4}
    assert {counts[label] for label in config.families["resolution"]} == {21}
    assert data.sample(3)[2] == drawn[3]
    cycles = [tuple(x for x in drawn if families[x] == "noise")[i : i + 7] for i in range(0, 28, 7)]
    assert all(sorted(cycle) == list(config.families["noise"]) for cycle in cycles)
    assert len(set(cycles)) > 1


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
        ({"balance": "kind"}, "MixtureConfig.balance is 'kind'; expected label or family"),
        (
            {"balance": "family", "weights": (1,) * 4},
            r"MixtureConfig.weights is \(1, 1, 1, 1\); expected one for each of 5 families: clean, noise, weather, ",
        ),
        ({"levels": (0.5, 0.2)}, "MixtureConfig.levels is"),
        ({"levels": (0.0, 2.0)}, "MixtureConfig.levels is"),
        ({"degradations": ()}, "MixtureConfig.degradations is empty, and so is pairs"),
        ({"pairs": ("dark", "haze")}, r"MixtureConfig.pairs is \('dark', 'haze'\); expected names unlike each other"),
        ({"pairs": ("dark", "dark")}, "MixtureConfig.pairs is"),
        ({"pairs": ("clean",)}, "MixtureConfig.pairs is"),
        ({"pairs": ("",)}, "MixtureConfig.pairs is"),
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


def test_patches_come_from_everywhere_and_all_ways_round() -> None:
    """A picture with one bright corner pixel shows it in all eight places of an uncropped square patch."""
    marked = np.zeros((3, 40, 40), np.uint8)
    marked[:, 0, 1] = 255
    data = Mixture(Given([marked]), CONFIG, batch=4, crop=40)
    places = {tuple(data.sample(number)[1][0].nonzero()[0].tolist()) for number in range(120)}
    assert len(places) == 8
    columns = np.broadcast_to(np.arange(52, dtype=np.uint8), (3, 40, 52))
    wide = Mixture(Given([columns]), CONFIG, batch=4, crop=8)
    starts = {round(wide.sample(number)[1].min().item() * 255) for number in range(400)}
    assert starts == set(range(45))


def test_all_photos_are_used() -> None:
    data = Mixture(Given([np.full((3, 24, 24), i, np.uint8) for i in range(12)]), CONFIG, batch=4, crop=24)
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


MIXED = MixtureConfig(degradations=(parse("noise"),), pairs=("dark", "haze_rain"), weights=(1, 2, 3, 1))


@pytest.fixture
def places(tree: Tree) -> tuple[Place, ...]:
    """Pairs of two labels: dark ones of one layout, the others of another that names labels."""
    dark = tree(*(f"{half}/{i}.png" for half in ("low", "high") for i in range(5)), root="lol", size=(30, 40))
    mixed = tree(*(f"{half}/{i}.png" for half in ("haze_rain", "snow", "clear") for i in range(4)), size=(26, 33))
    return Place(label="dark", folder=dark, layout="lol"), Place(label="haze_rain", folder=mixed)


def mixed(photos: Path, places: Sequence[Place], *, batch: int = 7, first: int = 0, crop: int = 16) -> Mixture:
    return open_mixture(MIXED, photos, places, part="all", holdout=0, batch=batch, crop=crop, first=first)


def test_pairs_are_labels_behind_the_degradations() -> None:
    assert MIXED.labels == (CLEAN, "noise", "dark", "haze_rain")
    assert MixtureConfig(pairs=("haze",), clean_class=False).labels == ("haze",)


def test_pairs_keep_the_balance_of_each_block(photos: Path, places: tuple[Place, ...]) -> None:
    data = mixed(photos, places)
    orders = [tuple(data.sample(block * 7 + i)[2] for i in range(7)) for block in range(6)]
    assert all(sorted(order) == [0, 1, 1, 2, 2, 2, 3] for order in orders)
    assert len(set(orders)) > 3
    assert sorted(data.make_batch(4).label.tolist()) == [0, 1, 1, 2, 2, 2, 3]


def test_the_two_of_a_pair_are_cut_flipped_and_turned_alike() -> None:
    """A clean picture numbers its pixels, and the degraded one is its complement, so each place shows where it lay."""
    numbers = np.arange(12 * 15, dtype=np.uint8).reshape(12, 15)
    clean = np.stack([numbers, numbers // 2, numbers // 3])
    config = MixtureConfig(pairs=("haze",), clean_class=False)
    data = Mixture(None, config, pairs=[Given([(255 - clean, clean)], "haze")], batch=4, crop=9)
    patches = []
    for number in range(64):
        degraded, found, label, records = data.sample(number)
        torch.testing.assert_close(degraded + found, torch.ones(3, 9, 9))
        assert (label, records) == (0, ())
        patches.append(found.numpy().tobytes())
    assert len(set(patches)) > 40


@pytest.mark.parametrize("crop", [14, 20, 70])
def test_pairs_smaller_than_the_patch_are_mirrored_alike(crop: int) -> None:
    clean = np.random.default_rng(0).integers(0, 256, (3, 12, 15), dtype=np.uint8)
    config = MixtureConfig(pairs=("haze",), clean_class=False)
    data = Mixture(None, config, pairs=[Given([(255 - clean, clean)], "haze")], batch=4, crop=crop)
    for number in range(6):
        degraded, found, *_ = data.sample(number)
        torch.testing.assert_close(degraded + found, torch.ones(3, crop, crop))


def test_each_label_has_pairs_of_its_own_and_uses_all() -> None:
    def flat(value: int) -> np.ndarray:
        return np.full((3, 12, 12), value, np.uint8)

    folders = [
        Given([(flat(base + i), flat(base + i + 100)) for i in range(5)], label)
        for base, label in ((10, "dark"), (50, "haze_rain"))
    ]
    data = Mixture(Given([flat(0)]), MIXED, pairs=folders, batch=4, crop=12)
    seen: dict[int, set[int]] = {2: set(), 3: set()}
    for number in range(7 * 30):
        degraded, clean, label, _ = data.sample(number)
        if label in seen:
            value = round(degraded[0, 0, 0].item() * 255)
            assert round(clean[0, 0, 0].item() * 255) == value + 100
            seen[label].add(value)
    assert seen == {2: set(range(10, 15)), 3: set(range(50, 55))}


def test_a_mixture_of_pairs_needs_no_photos(places: tuple[Place, ...]) -> None:
    config = MixtureConfig(pairs=("dark", "haze_rain"), clean_class=False)
    assert not config.needs_photos
    data = open_mixture(config, None, places, part="all", holdout=0, batch=4, crop=16)
    assert sorted(data.make_batch(0).label.tolist()) == [0, 0, 1, 1]
    assert MixtureConfig(pairs=("dark",)).needs_photos
    with pytest.raises(ValueError, match=r"Mixture.photos is None"):
        open_mixture(MIXED, None, places, part="all", holdout=0, batch=4, crop=16)


def test_the_pairs_have_to_be_those_of_the_mixture(photos: Path, places: tuple[Place, ...]) -> None:
    with pytest.raises(ValueError, match=r"Mixture.pairs is of \['haze_rain', 'dark'\]; expected one of each"):
        mixed(photos, places[::-1])


def test_a_resumed_mixture_with_pairs_goes_on_where_it_was(photos: Path, places: tuple[Place, ...]) -> None:
    whole = list(islice(batches(mixed(photos, places), workers=0), 5))
    resumed = list(islice(batches(mixed(photos, places, first=3), workers=0), 2))
    assert all(same(a, b) for a, b in zip(whole[3:], resumed, strict=True))


@pytest.mark.slow
def test_packed_and_sharded_data_give_the_same_batches_in_any_process(
    photos: Path, places: tuple[Place, ...], tmp_path: Path
) -> None:
    packed, sharded = [], []
    for place in places:
        found = find_whole(place.folder, place.layout)
        write_pack(found, tmp_path / f"{place.label}.pack")
        write_shards(found, tmp_path / f"{place.label}.shards", size_mb=0.05)
        packed.append(Place(label=place.label, folder=tmp_path / f"{place.label}.pack"))
        sharded.append(Place(label=place.label, folder=tmp_path / f"{place.label}.shards"))
    write_pack(find_whole(photos), tmp_path / "photos.pack")
    here = list(islice(batches(mixed(photos, places), workers=0), 5))
    one_of_each = mixed(tmp_path / "photos.pack", [packed[0], sharded[1]])
    for data, workers in ((mixed(photos, packed), 0), (mixed(photos, sharded), 0), (one_of_each, 2)):
        there = list(islice(batches(data, workers=workers), 5))
        assert all(same(a, b) for a, b in zip(here, there, strict=True))


def test_a_pair_of_two_sizes_met_by_a_worker_is_an_error(photos: Path, tree: Tree) -> None:
    tree("input/a.png")
    root = tree("target/a.png", size=(9, 10))
    config = MixtureConfig(pairs=("haze",), clean_class=False)
    data = open_mixture(config, None, [Place(label="haze", folder=root)], part="all", holdout=0, batch=1, crop=4)
    with pytest.raises(UndegradeError, match="the two must be of one size"):
        next(batches(data, workers=0))


def test_parts_are_the_single_degradations_of_all_steps_and_labels() -> None:
    noise, jpeg, rain, haze = (parse(text) for text in ("noise", "jpeg", "rain", "haze"))
    chain = Chain(label="a", steps=(Maybe(step=rain), OneOf(steps=(jpeg, Chain(label="b", steps=(haze, noise))))))
    either = RandomOrder(label="c", steps=(noise, parse("snow")), most=2)
    config = MixtureConfig(degradations=(noise, chain, either), pairs=("low_haze", "real_noise"))
    assert config.parts == ("noise", "rain", "jpeg", "haze", "snow", "low_light", "real_noise")
    assert MixtureConfig(degradations=(COMPOUNDS["cdd11_low_haze"],)).parts == ("haze", "low_light")


@pytest.mark.parametrize(
    ("label", "parts"),
    [
        ("haze", ("haze",)),
        ("haze_rain", ("haze", "rain")),
        ("low_haze_snow", ("low_light", "haze", "snow")),
        ("low_light_rain", ("low_light", "rain")),
        ("motion_blur+haze", ("motion_blur", "haze")),
        ("rain_veil", ("rain_veil",)),
        ("haze_of_my_own", ("haze_of_my_own",)),
        ("mine+haze+mine", ("mine", "haze")),
    ],
)
def test_labels_of_pairs_are_taken_apart(label: str, parts: tuple[str, ...]) -> None:
    assert parts_of(label) == parts


def test_batches_say_which_single_degradations_are_in_each_picture(photos: Path, places: tuple[Place, ...]) -> None:
    steps = (parse("noise"), find_step("cdd11_haze_rain"), RandomOrder(steps=(parse("noise"), parse("jpeg")), most=2))
    config = MixtureConfig(degradations=steps, pairs=("dark", "haze_rain"))
    assert config.parts == ("noise", "rain", "haze", "jpeg", "dark")
    data = open_mixture(config, photos, places, part="all", holdout=0, batch=30, crop=16)
    made = data.make_batch(0)
    assert made.present is not None
    assert made.present.shape == (30, 5)
    assert made.present.dtype == torch.float32
    sizes = set()
    for label, records, present in zip(made.label.tolist(), made.records, made.present, strict=True):
        found = {name for name, here in zip(config.parts, present.tolist(), strict=True) if here}
        assert set(present.tolist()) <= {0.0, 1.0}
        expected = {4: {"dark"}, 5: {"haze", "rain"}}.get(label, {record.degradation for record in records})
        assert found == expected
        sizes.add((label, len(found)))
    assert {(0, 0), (1, 1), (2, 2), (4, 1), (5, 2)} <= sizes
    assert len({count for label, count in sizes if label == 3}) > 1  # in random order, from none to two
    moved = made.to("cpu").present
    assert moved is not None
    assert torch.equal(moved, made.present)
    assert Batch(degraded=made.degraded, clean=made.clean, label=made.label).to("cpu").present is None
