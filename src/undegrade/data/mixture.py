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

from undegrade.batch import CLEAN, Batch
from undegrade.data.folder import CleanFolder
from undegrade.degradations import Degradation
from undegrade.errors import UndegradeError, check_at_least


@dataclass(frozen=True, kw_only=True)
class MixtureConfig:
    """What the batches are made of."""

    degradations: tuple[Degradation, ...]
    clean_class: bool = True  # unspoiled patches are a class of their own
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a mixture of nothing."""
        check_at_least(self, {"seed": 0})
        if not self.degradations:
            raise ValueError("MixtureConfig.degradations is empty; expected at least one degradation")

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the logits."""
        return (CLEAN,) * self.clean_class + tuple(d.label for d in self.degradations)


class Mixture(IterableDataset["Batch | UndegradeError"]):
    """Sample n is the same picture whoever asks, in whatever process: everything is drawn from (seed, n).

    Each run of `len(labels)` samples holds every label once, in random order.

    Args:
        photos: the clean pictures.
        config: the mixture.
        batch: samples a batch.
        crop: side of a patch, pixels.
        first: the batch to begin with, for a run that is resumed.
    """

    def __init__(self, photos: CleanFolder, config: MixtureConfig, *, batch: int, crop: int, first: int = 0) -> None:
        self.photos, self.config, self.batch, self.crop, self.first = photos, config, batch, crop, first

    def sample(self, number: int) -> tuple[Tensor, Tensor, int]:
        """(degraded, clean, label) of the sample of that number; pictures (3, crop, crop) in [0, 1]."""
        config, num_labels = self.config, len(self.config.labels)
        block, place = divmod(number, num_labels)
        order = np.random.default_rng((config.seed, 0, block)).permutation(num_labels)
        label = int(order[place])
        rng = np.random.default_rng((config.seed, 1, number))
        clean = self._crop(rng)
        index = label - config.clean_class
        if index < 0:
            return clean, clean, label
        degradation = config.degradations[index]
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        return degradation.degrade(clean, generator, degradation.sample(generator)), clean, label

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
        samples = [self.sample(number * self.batch + i) for i in range(self.batch)]
        degraded, clean, label = zip(*samples, strict=True)
        return Batch(degraded=torch.stack(degraded), clean=torch.stack(clean), label=torch.tensor(label))

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
