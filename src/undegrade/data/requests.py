"""What is done to a training sample, and what of it the network is asked to undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from undegrade.batch import Record
from undegrade.degradations import Step
from undegrade.degradations.chain import single_names

SHARES = ("second", "partly", "singly")


class Shares(Protocol):
    """What of a `MixtureConfig` requests are drawn by."""

    @property
    def degradations(self) -> tuple[Step, ...]:
        """What is done."""

    @property
    def clean_class(self) -> bool:
        """Whether the first label is "clean"."""

    @property
    def levels(self) -> tuple[float, float]:
        """How badly."""

    @property
    def second(self) -> float:
        """The share of it."""

    @property
    def partly(self) -> float:
        """Likewise."""

    @property
    def singly(self) -> float:
        """Likewise."""

    @property
    def frequencies(self) -> tuple[float, ...] | None:
        """How often each label comes; None: all alike."""

    @property
    def untold(self) -> int:
        """Of how many samples nothing is said of one; 0: of none."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One sample's.

    Args:
        steps: the labels of what is done, and their records, first done first.
        wanted: the labels of what is to be undone, also in vain; none where nothing is said, and all is to be undone.
    """

    steps: tuple[tuple[int, tuple[Record, ...]], ...]
    wanted: tuple[int, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """Of all that is done."""
        return tuple(record for _, records in self.steps for record in records)

    @property
    def left(self) -> tuple[Record, ...]:
        """Of what is to stay, with the same seeds: as if the rest had never happened."""
        kept = [records for label, records in self.steps if self.wanted and label not in self.wanted]
        return tuple(record for records in kept for record in records)


def draw_request(config: Shares, label: int, number: int, rng: np.random.Generator) -> Request:
    """The request of the sample of that number and label, which stands for no pair from disk.

    Nothing is said of every `untold`-th sample, which is spoiled in one way at most. Of the others, `second` of those
    that are spoiled at all are so in a second way, in either order, and by what comes often more often; of `partly` one
    of these two ways is to be undone, or one that is not there; of the rest, where two are, of `singly` one alone; of
    what is left all, or, where nothing is wrong, "clean" is asked for.
    """
    clean = int(config.clean_class)
    spoiled = label >= clean
    told = not config.untold or number % config.untold > 0
    labels: tuple[int, ...] = (label,) if spoiled else ()
    others = [one for one in range(clean, clean + len(config.degradations)) if one != label]
    often = None if config.frequencies is None else np.array([config.frequencies[one] for one in others])
    possible = bool(others) if often is None else bool(often.any())
    if told and spoiled and config.second and possible and rng.random() < config.second:
        pair = (label, int(rng.choice(others, p=None if often is None else often / often.sum())))
        labels = pair if rng.random() < 0.5 else pair[::-1]
    wanted = _wanted(config, labels or (label,), others, rng) if told else ()
    if not spoiled:
        return Request(steps=(), wanted=wanted)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    plans = tuple((one, config.degradations[one - clean].plan(generator, config.levels)) for one in labels)
    return Request(steps=plans, wanted=wanted)


def _wanted(
    config: Shares, labels: tuple[int, ...], others: Sequence[int], rng: np.random.Generator
) -> tuple[int, ...]:
    if not (config.partly and others and rng.random() < config.partly):
        alone = len(labels) > 1 and config.singly and rng.random() < config.singly
        return (int(rng.choice(labels)),) if alone else labels
    done = _singles(config, labels)
    absent = [one for one in others if not done & _singles(config, (one,))]
    choices = [*(labels if len(labels) > 1 else ()), *([int(rng.choice(absent))] if absent else [])]
    return (int(rng.choice(choices)),) if choices else labels


def _singles(config: Shares, labels: tuple[int, ...]) -> set[str]:
    """The single degradations that labels stand for; of two composites, one may be in the other."""
    clean = int(config.clean_class)
    return {name for label in labels if label >= clean for name in single_names(config.degradations[label - clean])}


def check_shares(config: Any) -> None:
    """Refuse shares that are none.

    Raises:
        ValueError: names the field.
    """
    for name in SHARES:
        if not 0 <= getattr(config, name) <= 1:
            raise ValueError(f"MixtureConfig.{name} is {getattr(config, name)}; expected a share from 0 to 1")
