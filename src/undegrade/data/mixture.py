"""Endless training batches: clean crops, each spoiled in one way of a catalogue."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.util import Finalize

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from undegrade.batch import CLEAN, Batch, Record
from undegrade.data.folder import CleanFolder
from undegrade.degradations import Step, replay
from undegrade.errors import UndegradeError, check_at_least


@dataclass(frozen=True, kw_only=True)
class MixtureConfig:
    """What the batches are made of."""

    degradations: tuple[Step, ...]  # members of the catalogue, or compounds of them
    clean_class: bool = True  # unspoiled patches are a class of their own
    weights: tuple[int, ...] = ()  # how often each label comes, in the order of `labels`; all alike unless given
    levels: tuple[float, float] = (0.0, 1.0)  # the part of each range that is drawn, from the weakest to the strongest
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a mixture of nothing."""
        check_at_least(self, {"seed": 0})
        if not self.degradations:
            raise ValueError("MixtureConfig.degradations is empty; expected at least one degradation")
        if self.weights and (len(self.weights) != len(self.labels) or min(self.weights) < 0 or not sum(self.weights)):
            raise ValueError(
                f"MixtureConfig.weights is {self.weights}; expected one for each of {len(self.labels)} labels"
            )
        if not (len(self.levels) == 2 and 0 <= self.levels[0] <= self.levels[1] <= 1):
            raise ValueError(f"MixtureConfig.levels is {self.levels}; expected (low, high) within 0 to 1")

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the logits."""
        return (CLEAN,) * self.clean_class + tuple(d.label for d in self.degradations)

    @property
    def block(self) -> tuple[int, ...]:
        """The labels' indices, each as often as its weight says; batches go through them in random order."""
        weights = self.weights or (1,) * len(self.labels)
        return tuple(index for index, weight in enumerate(weights) for _ in range(weight))


class Mixture(IterableDataset["Batch | UndegradeError"]):
    """Sample n is the same picture whoever asks, in whatever process: everything is drawn from (seed, n).

    Each run of `len(config.block)` samples holds every label as often as its weight says, in random order. No two
    samples share a seed, however long the training.

    Args:
        photos: the clean pictures.
        config: the mixture.
        batch: samples a batch.
        crop: side of a patch, pixels.
        first: the batch to begin with, for a run that is resumed.
    """

    def __init__(self, photos: CleanFolder, config: MixtureConfig, *, batch: int, crop: int, first: int = 0) -> None:
        self.photos, self.config, self.batch, self.crop, self.first = photos, config, batch, crop, first

    def sample(self, number: int) -> tuple[Tensor, Tensor, int, tuple[Record, ...]]:
        """(degraded, clean, label, records) of the sample of that number; pictures (3, crop, crop) in [0, 1]."""
        config, block = self.config, self.config.block
        round_number, place = divmod(number, len(block))
        order = np.random.default_rng((config.seed, 0, round_number)).permutation(len(block))
        label = block[order[place]]
        rng = np.random.default_rng((config.seed, 1, number))
        clean = self._crop(rng)
        index = label - config.clean_class
        if index < 0:
            return clean, clean, label, ()
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        records = config.degradations[index].plan(generator, config.levels)
        return replay(clean, records), clean, label, records

    def _crop(self, rng: np.random.Generator) -> Tensor:
        """A random patch (3, crop, crop) in [0, 1], flipped and turned at random; a large photo counts as one."""
        photo = self.photos.load(int(rng.integers(len(self.photos))))
        side = self.crop
        _, height, width = photo.shape
        if min(height, width) < side:
            photo = np.pad(photo, ((0, 0), (0, max(0, side - height)), (0, max(0, side - width))), mode="symmetric")
            _, height, width = photo.shape
        top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
        patch = np.rot90(photo[:, top : top + side, left : left + side], int(rng.integers(4)), (1, 2))
        if rng.integers(2):
            patch = patch[:, :, ::-1]
        return torch.from_numpy(np.ascontiguousarray(patch)).float() / 255

    def make_batch(self, number: int) -> Batch:
        """The batch of that number."""
        numbers = tuple(range(number * self.batch, (number + 1) * self.batch))
        samples = [self.sample(n) for n in numbers]
        degraded, clean, label, records = zip(*samples, strict=True)
        return Batch(
            degraded=torch.stack(degraded),
            clean=torch.stack(clean),
            label=torch.tensor(label),
            records=records,
            numbers=numbers,
        )

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


def _leave_at_once(worker: int) -> None:
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
        worker_init_fn=_leave_at_once,
    )
    for batch in loader:
        if isinstance(batch, UndegradeError):
            raise batch
        yield batch
