"""What is to be done to a picture, and who decides it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from undegrade.inference.backend import Pixels
from undegrade.inference.ways import Assurance, Measured, name_of


class Finding(Protocol):
    """What has to be known of a diagnosis here."""

    @property
    def label(self) -> str:
        """What is wrong."""

    @property
    def probability(self) -> float:
        """Of the label."""


F = TypeVar("F", bound=Finding)


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What was seen of a picture: samples of it, or the whole where it is small.

    Args:
        parts: (3, h, w) each.
        contexts: (N, num_context), the model's of each part.
        repaired: what the model made of each part, not clipped.
        still: whether all parts are of one exposure, so that what is measured in some is true of all.
    """

    parts: tuple[Pixels, ...]
    contexts: Pixels
    repaired: tuple[Pixels, ...]
    still: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """A repair tried on parts of a picture, or several, one after the other.

    Args:
        kinds: what was repaired.
        before: (N, num_context), of the parts as they were.
        after: (N, num_context), of the repaired ones.
        parts: as they were, (3, h, w) in [0, 1] each.
        repaired: the same parts afterwards, clipped.
        assurance: how much what was measured says for it (`ways.assurance_of`).
    """

    kinds: tuple[str, ...]
    before: Pixels
    after: Pixels
    parts: tuple[Pixels, ...]
    repaired: tuple[Pixels, ...]
    assurance: Assurance = ""


class Verdict(Protocol):
    """What a trial has shown."""

    @property
    def strength(self) -> float:
        """In [0, 1], with which the repair does good; 0: it had better be left."""

    @property
    def gain(self) -> float:
        """The dB of PSNR that are expected of it."""

    @property
    def reason(self) -> str:
        """Why less than all of it, in words; empty where nothing speaks against it."""


class Judge(Protocol[F]):
    """Names what is wrong, and decides what is done; handed in, so that this room knows nothing of diagnosis."""

    @property
    def checks(self) -> bool:
        """Whether repairs are tried first, and `weigh` is asked."""

    @property
    def measures(self) -> bool:
        """Whether repairs by what is measured are tried, too."""

    def name(self, contexts: Pixels, labels: tuple[str, ...], signs: Mapping[str, float]) -> F:
        """The diagnosis of a picture.

        Args:
            contexts: of its parts, (N, num_context).
            labels: the model's.
            signs: of what was measured, how bad it is, by kind (`ways.find_signs`).
        """

    def beyond(self, height: int, width: int) -> F | None:
        """The diagnosis of a picture that is too small to be judged; None of one that is not."""

    def shares(self, contexts: Pixels, labels: tuple[str, ...]) -> tuple[tuple[str, ...], Pixels]:
        """The kinds, and the probability of each in each of the parts, (N, K)."""

    def candidates(self, finding: F, done: tuple[str, ...]) -> tuple[str | None, ...]:
        """What to repair next, the most urgent first; nothing, and the picture stays as it is.

        Where nothing is checked, the first is repaired, and what comes next is asked until there is nothing.
        None stands for what the model itself holds for likeliest.

        Args:
            finding: the diagnosis.
            done: what was repaired already.
        """

    def in_turn(self, finding: F, done: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """What to repair next one after the other, and to weigh together: the first alone may seem to do harm."""

    def likely(self, finding: F) -> tuple[str, ...]:
        """What is there, it seems, and wanted to be repaired; once something else is, it may be sure enough to be."""

    def doubts(self, finding: F, last: F, done: tuple[str, ...]) -> tuple[str, ...]:
        """Why what is named was not tried: it was not wanted, or is not sure enough, at first or at last; in words.

        Args:
            finding: the diagnosis.
            last: that of the picture as it is after the repairs.
            done: what was repaired.
        """

    def weigh(self, trial: Trial) -> Verdict:
        """How far a repair may go."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One repair of a whole picture.

    Args:
        kind: what is repaired; None: what the model itself holds for likeliest.
        context: (num_context,), for every tile.
        strength: in (0, 1], from the picture to what is made of it, mixed in linear light.
        measured: in the picture, and the repair goes by it (`ways.py`); None: the model repairs it.
    """

    kind: str | None
    context: Pixels
    strength: float = 1.0
    measured: Measured | None = None

    @property
    def by(self) -> str:
        """What repairs: "network", "deconvolution", or "network and transform"."""
        return name_of(self.measured)


@dataclass(frozen=True, kw_only=True, eq=False)
class Treatment(Generic[F]):
    """What is done to a picture, first thing first.

    Args:
        finding: the diagnosis; None where the model names nothing, and every picture is repaired.
        steps: none, and the picture is left alone.
        reason: why something that is wrong is not repaired, or not wholly; empty where there is nothing to say.
        left: kinds that were seen and to be repaired, and are not, or only in part.
    """

    finding: F | None
    steps: tuple[Step, ...]
    reason: str = ""
    left: tuple[str, ...] = ()

    @property
    def repaired(self) -> tuple[tuple[str | None, float], ...]:
        """Kind and strength of each step."""
        return tuple((step.kind, step.strength) for step in self.steps)


def steered(context: Pixels, labels: tuple[str, ...], kind: str) -> Pixels:
    """The context (num_context,) of a picture of which this kind is to be repaired, whatever the model says."""
    turned = context.copy()
    turned[-len(labels) :] = [CHOSEN * (label == kind) for label in labels]
    return turned


def surely(context: Pixels, labels: tuple[str, ...], kind: str) -> bool:
    """Whether the model itself goes for that kind, so that steering it changes nothing."""
    logits = context[-len(labels) :]
    return float(np.exp(logits[labels.index(kind)] - np.logaddexp.reduce(logits))) > SURE


def together(looks: Sequence[Look]) -> Look:
    """Several looks, such as those of a shot's frames, as one."""
    return Look(
        parts=tuple(part for look in looks for part in look.parts),
        contexts=np.concatenate([look.contexts for look in looks]),
        repaired=tuple(part for look in looks for part in look.repaired),
        still=False,
    )


CHOSEN = 6.0  # logit of the kind that is to be repaired, far above all others
SURE = 0.95  # of the model's own probabilities, which steering sharpens
