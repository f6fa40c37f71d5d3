"""Several degradations of one picture: in a stated order, in any order, by choice, by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from undegrade.batch import Record
from undegrade.degradations.base import WHOLE_RANGE, Levels, draw_seed
from undegrade.errors import UndegradeError, check_at_least


class Step(Protocol):
    """What can be done to a picture: a degradation, or one of the compounds below."""

    @property
    def label(self) -> str:
        """Its name."""

    def plan(self, rng: torch.Generator, levels: Levels = WHOLE_RANGE) -> tuple[Record, ...]:
        """Draw what will be done, first thing first; nothing is applied yet."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """One after another: y = d_n(... d_2(d_1(x))).

    With `shared_depth` all steps have one seed, and those that draw a depth map draw it first: haze and rain then
    belong to one scene.
    """

    label: str = "chain"
    steps: tuple[Step, ...]
    shared_depth: bool = False

    def plan(self, rng: torch.Generator, levels: Levels = WHOLE_RANGE) -> tuple[Record, ...]:
        """Everything that the steps draw, in their order."""
        records = tuple(record for step in self.steps for record in step.plan(rng, levels))
        if self.shared_depth:
            seed = draw_seed(rng)
            return tuple(replace(record, seed=seed) for record in records)
        return records


@dataclass(frozen=True, kw_only=True)
class OneOf:
    """One of the steps, drawn by weight (all alike unless given)."""

    label: str = "one_of"
    steps: tuple[Step, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse weights that do not fit."""
        check_at_least(self, {"weights": 0})
        if not self.steps or (self.weights and (len(self.weights) != len(self.steps) or not sum(self.weights))):
            raise UndegradeError(
                f"{self.label}: weights is {self.weights}; expected one for each of the steps, not all 0"
            )

    def plan(self, rng: torch.Generator, levels: Levels = WHOLE_RANGE) -> tuple[Record, ...]:
        """What the chosen step draws."""
        weights = torch.tensor(self.weights or (1.0,) * len(self.steps), dtype=torch.float32)
        chosen = int(torch.multinomial(weights, 1, generator=rng))
        return self.steps[chosen].plan(rng, levels)


@dataclass(frozen=True, kw_only=True)
class Maybe:
    """The step with some chance, otherwise nothing."""

    label: str = "maybe"
    step: Step
    chance: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a chance that is none."""
        if not 0 <= self.chance <= 1:
            raise UndegradeError(f"{self.label}: chance is {self.chance}; expected 0 to 1")

    def plan(self, rng: torch.Generator, levels: Levels = WHOLE_RANGE) -> tuple[Record, ...]:
        """What the step draws, or nothing."""
        return self.step.plan(rng, levels) if torch.rand((), generator=rng).item() < self.chance else ()


@dataclass(frozen=True, kw_only=True)
class RandomOrder:
    """`fewest` to `most` different steps, in random order; where `fewest` is 0, sometimes nothing at all."""

    label: str = "random_order"
    steps: tuple[Step, ...]
    fewest: int = 0
    most: int = 3

    def __post_init__(self) -> None:
        """Refuse numbers that the steps do not allow."""
        if not 0 <= self.fewest <= self.most <= len(self.steps):
            raise UndegradeError(
                f"{self.label}: fewest is {self.fewest} and most {self.most}; expected 0 <= fewest <= most <= "
                f"{len(self.steps)}, the number of steps"
            )

    def plan(self, rng: torch.Generator, levels: Levels = WHOLE_RANGE) -> tuple[Record, ...]:
        """What the chosen steps draw, in the order in which they happen."""
        count = int(torch.randint(self.fewest, self.most + 1, (), generator=rng))
        order: Sequence[int] = torch.randperm(len(self.steps), generator=rng)[:count].tolist()
        return tuple(record for number in order for record in self.steps[number].plan(rng, levels))


def single_names(step: Step) -> tuple[str, ...]:
    """The names of the single degradations that a step may do, each once, in the order in which they stand in it.

    >>> single_names(Chain(steps=(Maybe(step=Chain(label="a", steps=())),)))
    ()
    """
    match step:
        case Chain(steps=steps) | OneOf(steps=steps) | RandomOrder(steps=steps):
            return tuple(dict.fromkeys(name for inner in steps for name in single_names(inner)))
        case Maybe(step=inner):
            return single_names(inner)
    return (step.label,)


def outline(step: Step) -> str:
    """What a step is made of, in one line.

    >>> outline(Chain(steps=(Chain(label="a", steps=()), Maybe(step=Chain(label="b", steps=()), chance=0.3))))
    'nothing, then 30 % nothing'
    """
    match step:
        case Chain(steps=steps):
            return ", then ".join(map(outline, steps)) or "nothing"
        case OneOf(steps=steps):
            return f"one of ({', '.join(map(outline, steps))})"
        case Maybe(step=inner, chance=chance):
            return f"{chance:.0%} {outline(inner)}".replace("%", " %")
        case RandomOrder(steps=steps, fewest=fewest, most=most):
            return f"{fewest} to {most} of ({', '.join(map(outline, steps))}) in random order"
    return step.label
