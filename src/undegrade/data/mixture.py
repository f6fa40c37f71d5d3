"""Endless training batches: clean crops, each spoiled in one way of a catalogue, and crops of pairs from disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.util import Finalize
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from undegrade.batch import CLEAN, Batch, Record
from undegrade.data.decoding import Pixels
from undegrade.data.folder import CleanFolder, PairFolder
from undegrade.data.places import Place, open_pairs
from undegrade.data.requests import check_shares, draw_request
from undegrade.degradations import DEGRADATIONS, Step, replay
from undegrade.degradations.chain import single_names
from undegrade.errors import UndegradeError, check_at_least

BALANCES = ("label", "family")
OTHER_NAMES = {"low": "low_light"}  # as CDD-11 calls them


@dataclass(frozen=True, kw_only=True)
class MixtureConfig:
    """What the batches are made of."""

    degradations: tuple[Step, ...] = ()  # members of the catalogue, or compounds of them
    pairs: tuple[str, ...] = ()  # labels whose samples are pairs from disk; where they lie is said when it is trained
    clean_class: bool = True  # unspoiled patches are a class of their own
    balance: str = "label"  # what comes equally often: each "label"; or each "family", and in it its labels by turns
    weights: tuple[int, ...] = ()  # how often each label comes, in the order of `labels`; or each of `families`
    levels: tuple[float, float] = (0.0, 1.0)  # the part of each range that is drawn, from the weakest to the strongest
    second: float = 0.0  # share of the told samples that are spoiled in a second way, too, before or after the first
    partly: float = 0.0  # share of the told samples of which a part is to stay, or asked for what is not there
    singly: float = 0.0  # share of the others spoiled twice of which one way is to be undone, the other to stay
    untold: int = 0  # of every so many samples one is spoiled once at most, and nothing said (`Batch.wanted` is 0)
    each_once: bool = False  # each label goes through all its pictures before it sees one again; else they are drawn
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a mixture of nothing."""
        check_at_least(self, {"seed": 0, "untold": 0})
        check_shares(self)
        if not self.degradations and not self.pairs:
            raise ValueError("MixtureConfig.degradations is empty, and so is pairs; expected at least one of either")
        taken = [CLEAN, *(step.label for step in self.degradations)]
        for number, label in enumerate(self.pairs):
            if not label or label in (*taken, *self.pairs[:number]):
                raise ValueError(
                    f"MixtureConfig.pairs is {self.pairs}; expected names unlike each other and unlike {taken}"
                )
        if self.balance not in BALANCES:
            raise ValueError(f"MixtureConfig.balance is {self.balance!r}; expected {' or '.join(BALANCES)}")
        if self.weights and (len(self.weights) != len(self.turns) or min(self.weights) < 0 or not sum(self.weights)):
            what = "labels" if self.balance == "label" else f"families: {', '.join(self.families)}"
            raise ValueError(
                f"MixtureConfig.weights is {self.weights}; expected one for each of {len(self.turns)} {what}"
            )
        if not (len(self.levels) == 2 and 0 <= self.levels[0] <= self.levels[1] <= 1):
            raise ValueError(f"MixtureConfig.levels is {self.levels}; expected (low, high) within 0 to 1")

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the logits."""
        return (CLEAN,) * self.clean_class + tuple(d.label for d in self.degradations) + self.pairs

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the single degradations that may be in a picture, in the order of `Batch.present`."""
        generated = [name for step in self.degradations for name in single_names(step)]
        return tuple(dict.fromkeys([*generated, *(name for label in self.pairs for name in parts_of(label))]))

    @property
    def needs_photos(self) -> bool:
        """Whether there are samples that begin with a clean photo; those of pairs bring their own."""
        return self.clean_class or bool(self.degradations)

    @property
    def families(self) -> dict[str, tuple[int, ...]]:
        """The labels' indices by family of the catalogue; "clean", "mixture" (compounds) and "pairs" count as such."""
        of_each = [getattr(step, "family", "mixture") for step in self.degradations]
        names = [CLEAN] * self.clean_class + of_each + ["pairs"] * len(self.pairs)
        return {name: tuple(i for i, own in enumerate(names) if own == name) for name in dict.fromkeys(names)}

    @property
    def turns(self) -> tuple[tuple[int, ...], ...]:
        """What is drawn equally often, or by weight: the labels that share a turn, by their indices."""
        if self.balance == "family":
            return tuple(self.families.values())
        return tuple((index,) for index in range(len(self.labels)))

    @property
    def frequencies(self) -> tuple[float, ...] | None:
        """How often each label comes, to be divided by their sum; None where all come equally often."""
        if self.balance == "label" and not self.weights:
            return None
        weights = self.weights or (1,) * len(self.turns)
        of_each = {i: weight / len(labels) for weight, labels in zip(weights, self.turns, strict=True) for i in labels}
        return tuple(of_each[index] for index in range(len(self.labels)))

    @property
    def block(self) -> tuple[int, ...]:
        """The indices of `turns`, each as often as its weight says; batches go through them in random order."""
        weights = self.weights or (1,) * len(self.turns)
        return tuple(index for index, weight in enumerate(weights) for _ in range(weight))


def parts_of(label: str) -> tuple[str, ...]:
    """The single degradations that a label of pairs names, joined by "+", or by "_" where all are in the catalogue.

    >>> parts_of("low_haze_rain"), parts_of("low_light"), parts_of("real_noise"), parts_of("blur+noise")
    (('low_light', 'haze', 'rain'), ('low_light',), ('real_noise',), ('blur', 'noise'))
    """
    return tuple(dict.fromkeys(name for piece in label.split("+") if piece for name in _catalogue_names(piece)))


def _catalogue_names(text: str) -> tuple[str, ...]:
    """The names of the catalogue that the text joins, the longest first; or the text itself."""
    words, names = text.split("_"), list[str]()
    while words:
        heads = ("_".join(words[:count]) for count in range(len(words), 0, -1))
        head = next((h for h in heads if h in DEGRADATIONS or h in OTHER_NAMES), None)
        if head is None:
            return (text,)
        names.append(OTHER_NAMES.get(head, head))
        words = words[head.count("_") + 1 :]
    return tuple(names)


class Mixture(IterableDataset["Batch | UndegradeError"]):
    """Sample n is the same picture whoever asks, in whatever process: everything is drawn from (seed, n).

    Each run of `len(config.block)` samples holds every label, or every family, as often as its weight says, in random
    order; the labels of a family come by turns. No two samples share a seed, however long the training.

    Args:
        photos: the clean pictures; None where the mixture needs none.
        config: the mixture.
        pairs: of each label of `config.pairs`, in that order.
        batch: samples a batch.
        crop: side of a patch, pixels.
        first: the batch to begin with, for a run that is resumed.
        share: (number, count) of the training process: it makes only its part of each batch.
    """

    def __init__(
        self,
        photos: CleanFolder | None,
        config: MixtureConfig,
        *,
        pairs: Sequence[PairFolder] = (),
        batch: int,
        crop: int,
        first: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        if batch % share[1]:
            raise UndegradeError(
                f"stage.batch is {batch}; it must be a multiple of {share[1]}, the number of processes"
            )
        if photos is None and config.needs_photos:
            raise ValueError("Mixture.photos is None; expected clean pictures, because the mixture spoils some")
        if tuple(folder.label for folder in pairs) != config.pairs:
            labels = [folder.label for folder in pairs]
            raise ValueError(f"Mixture.pairs is of {labels}; expected one of each of {list(config.pairs)}")
        self.photos, self.config, self.batch, self.crop, self.first = photos, config, batch, crop, first
        self.pairs, self.share = tuple(pairs), share
        self._orders: dict[int, tuple[int, NDArray[np.int64]]] = {}  # of the pictures, by label: its epoch's

    def picture(self, number: int) -> int:
        """The index, in the folder that its label takes from, of the picture that the sample of that number shows."""
        label, turn = self._turn(number)
        folder = self._folder(label)
        if not self.config.each_once:
            return int(np.random.default_rng((self.config.seed, 1, number)).integers(len(folder)))
        epoch, place = divmod(turn, len(folder))
        known = self._orders.get(label)
        if known is None or known[0] != epoch:
            seed = (self.config.seed, 3, label, epoch)
            known = self._orders[label] = epoch, np.random.default_rng(seed).permutation(len(folder))
        return int(known[1][place])

    def _folder(self, label: int) -> CleanFolder | PairFolder:
        """Where the pictures of a label come from."""
        index = label - self.config.clean_class - len(self.config.degradations)
        folder = self.pairs[index] if index >= 0 else self.photos
        assert folder is not None  # as the constructor made sure
        return folder

    def sample(self, number: int) -> tuple[Tensor, Tensor, int, tuple[Record, ...]]:
        """(degraded, clean, label, records) of the sample of that number; pictures (3, crop, crop) in [0, 1].

        What is to stay in a sample is in its clean picture too.
        """
        return self.asked(number)[:4]

    def asked(self, number: int) -> tuple[Tensor, Tensor, int, tuple[Record, ...], tuple[int, ...]]:
        """What `sample` returns, and the labels that are to be removed; none where nothing is said."""
        config, (label, _) = self.config, self._turn(number)
        rng = np.random.default_rng((config.seed, 1, number))
        folder, index = self._folder(label), label - config.clean_class
        drawn = int(rng.integers(len(folder)))
        degraded, clean = self._crop(rng, folder, self.picture(number) if config.each_once else drawn)
        if index >= len(config.degradations):
            told = not config.untold or number % config.untold > 0
            return degraded, clean, label, (), (label,) if told else ()
        request = draw_request(config, label, number, rng)
        degraded, left = (replay(clean, records) if records else clean for records in (request.records, request.left))
        return degraded, left, label, request.records, request.wanted

    def _turn(self, number: int) -> tuple[int, int]:
        """The index of the label of the sample of that number, and how many of that label came before it."""
        seed, block, turns = self.config.seed, self.config.block, self.config.turns
        round_number, place = divmod(number, len(block))
        chosen = np.random.default_rng((seed, 0, round_number)).permutation(len(block))[place]
        labels = turns[block[chosen]]
        # Which turn of this label or family it is, over all rounds.
        turn = round_number * block.count(block[chosen]) + int(chosen) - block.index(block[chosen])
        if len(labels) == 1:
            return labels[0], turn
        # All labels of a family have had one before the first has another.
        cycle, place = divmod(turn, len(labels))
        order = np.random.default_rng((seed, 2, block[chosen], cycle)).permutation(len(labels))
        return labels[order[place]], cycle

    def _crop(self, rng: np.random.Generator, folder: CleanFolder | PairFolder, picture: int) -> tuple[Tensor, Tensor]:
        """The same random patch (3, crop, crop) in [0, 1] of a degraded and its clean picture, or of a clean one twice.

        It is flipped and turned at random; a large photo counts as one.
        """
        degraded, clean = folder.load_pair(picture)
        side, (_, height, width) = self.crop, clean.shape
        top, left = (int(rng.integers(max(0, length - side) + 1)) for length in (height, width))
        turns, flipped = int(rng.integers(4)), bool(rng.integers(2))

        def cut(photo: Pixels) -> Tensor:
            patch = photo[:, top : top + side, left : left + side]
            if min(height, width) < side:
                patch = np.pad(patch, ((0, 0), (0, max(0, side - height)), (0, max(0, side - width))), mode="symmetric")
            patch = np.rot90(patch, turns, (1, 2))
            # A copy even where nothing was turned: a view of a pack must not be handed to PyTorch.
            return torch.from_numpy((patch[:, :, ::-1] if flipped else patch).copy()).float() / 255

        patch = cut(clean)
        return (patch if degraded is clean else cut(degraded)), patch

    def make_batch(self, number: int) -> Batch:
        """The batch of that number, or this process's share of it."""
        place, count = self.share
        size = self.batch // count
        begin = number * self.batch + place * size
        numbers = tuple(range(begin, begin + size))
        samples = [self.asked(n) for n in numbers]
        degraded, clean, label, records, wanted = zip(*samples, strict=True)
        asked = torch.zeros(size, len(self.config.labels))
        for row, labels in enumerate(wanted):
            asked[row, list(labels)] = 1
        return Batch(
            degraded=torch.stack(degraded),
            clean=torch.stack(clean),
            label=torch.tensor(label),
            records=records,
            numbers=numbers,
            present=torch.stack([self._present(label, records) for _, _, label, records, _ in samples]),
            wanted=asked,
        )

    def _present(self, label: int, records: tuple[Record, ...]) -> Tensor:
        """(P,): 1 for each of the mixture's parts that is in a sample, by its records, or by its label if from disk."""
        first = len(self.config.labels) - len(self.config.pairs)
        names = parts_of(self.config.labels[label]) if label >= first else [record.degradation for record in records]
        present = torch.zeros(len(self._places))
        present[[self._places[name] for name in names]] = 1
        return present

    @cached_property
    def _places(self) -> dict[str, int]:
        """Where each part stands in `Batch.present`."""
        return {name: place for place, name in enumerate(self.config.parts)}

    def __iter__(self) -> Iterator[Batch | UndegradeError]:
        """Batches without end; several worker processes share them out and the loader restores their order.

        A worker hands over an error instead of raising it: the loader would make a traceback of it.
        """
        worker = torch.utils.data.get_worker_info()
        step, offset = (worker.num_workers, worker.id) if worker else (1, 0)
        if worker:
            torch.set_num_threads(1)  # the other cores are training
        number = self.first + offset
        while True:
            try:
                yield self.make_batch(number)
            except UndegradeError as error:
                yield error
                return
            number += step


def leave_at_once(worker: int) -> None:
    """Let this worker process end without taking Python apart, as a forked one would.

    A spawned one does take it apart, while the thread that sends batches may be inside PyTorch, and is then aborted.
    Priority -1000 comes after the queues are flushed (-5).
    """
    Finalize(None, os._exit, args=(0,), exitpriority=-1000)


def batches(dataset: Mixture, *, workers: int = 1) -> Iterator[Batch]:
    """The data set's batches in order, made ahead by `workers` processes (0: by this one, when asked).

    Raises:
        UndegradeError: a photo cannot be read.
    """
    ahead = 8 if workers else None
    # libvips does not survive a fork, so the workers are started afresh.
    context = "spawn" if workers else None
    loader = DataLoader(
        dataset,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=ahead,
        multiprocessing_context=context,
        worker_init_fn=leave_at_once,
    )
    for batch in loader:
        if isinstance(batch, UndegradeError):
            raise batch
        yield batch


def open_mixture(
    config: MixtureConfig,
    clean: Path | None,
    places: Sequence[Place],
    *,
    part: str,
    holdout: int,
    batch: int,
    crop: int,
    first: int = 0,
    share: tuple[int, int] = (0, 1),
) -> Mixture:
    """The mixture over what lies on disk.

    Args:
        config: the mixture.
        clean: folder of clean pictures; None where the mixture needs none.
        places: of the pairs, in the order of `config.pairs`.
        part: "train", "held_out" or "all" of the pictures.
        holdout: every n-th picture is held out; 0 holds none out.
        batch: samples a batch.
        crop: side of a patch, pixels.
        first: the batch to begin with.
        share: (number, count) of the training process: it makes only its part of each batch.

    Raises:
        UndegradeError: a folder does not hold what is expected there.
    """
    photos = None if clean is None else CleanFolder(clean, part=part, holdout=holdout)
    pairs = open_pairs(places, part=part, holdout=holdout)
    return Mixture(photos, config, pairs=pairs, batch=batch, crop=crop, first=first, share=share)
