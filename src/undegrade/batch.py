"""The records that travel: what was done to a picture, and the batches of training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


CLEAN = "clean"  # the label of pictures with which nothing is wrong


@dataclass(frozen=True, kw_only=True)
class Record:
    """One degradation as it was applied; it replays the same pixels (`undegrade.degradations.replay`)."""

    degradation: str  # its name in the catalogue
    severities: dict[str, float]  # in their physical units
    seed: int  # of everything random


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Degraded pictures, the clean ones they were made of, and the name of what was done to them."""

    degraded: Tensor  # (B, 3, H, W), RGB in [0, 1]
    clean: Tensor  # (B, 3, H, W), RGB in [0, 1]
    label: Tensor  # (B,), int64, index into the labels of the mixture
    records: tuple[tuple[Record, ...], ...] = ()  # of each picture, first thing first; empty where it is not known
    numbers: tuple[int, ...] = ()  # of the pictures in the training data, from which chance is drawn for each
    present: Tensor | None = None  # (B, P), 1 where a single degradation is in a picture, else 0; `MixtureConfig.parts`
    wanted: Tensor | None = None  # (B, labels), 1 for what `clean` lacks and `degraded` has, or was asked for in vain

    def rows(self, places: Sequence[int]) -> Batch:
        """Some of the pictures, by their places, in that order."""
        chosen = list(places)
        return Batch(
            degraded=self.degraded[chosen],
            clean=self.clean[chosen],
            label=self.label[chosen],
            records=tuple(self.records[place] for place in chosen) if self.records else (),
            numbers=tuple(self.numbers[place] for place in chosen) if self.numbers else (),
            present=None if self.present is None else self.present[chosen],
            wanted=None if self.wanted is None else self.wanted[chosen],
        )

    def split(self, count: int) -> Iterator[Batch]:
        """The same pictures in so many batches of equal size, in order."""
        size = len(self.label) // count
        for begin in range(0, size * count, size):
            yield self.rows(range(begin, begin + size))

    def to(self, device: str) -> Batch:
        """The same batch on another device, pictures in channels-last memory order."""
        import torch

        def move(picture: Tensor) -> Tensor:
            return picture.to(device, memory_format=torch.channels_last, non_blocking=True)

        return replace(
            self,
            degraded=move(self.degraded),
            clean=move(self.clean),
            label=self.label.to(device, non_blocking=True),
            present=None if self.present is None else self.present.to(device, non_blocking=True),
            wanted=None if self.wanted is None else self.wanted.to(device, non_blocking=True),
        )
