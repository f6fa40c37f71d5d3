"""What every degradation promises: named severities in physical units, drawn apart from being applied."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from undegrade.batch import Record
from undegrade.errors import UndegradeError

SEVERITY_DIGITS = 6
SMALLEST = 2  # pixels, the shortest side that can be spoiled; kernels may be larger than the picture
FAMILIES = ("noise", "blur", "resolution", "compression", "weather", "light", "sensor", "damage")

Levels = tuple[float, float]  # the weakest and the strongest to draw, within 0 to 1
WHOLE_RANGE: Levels = (0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What a severity field means: its unit, the values that make sense, and how it is spaced."""

    text: str  # the unit in words, shown in tables and beside sliders
    limits: tuple[float, float]  # the smallest and the largest value permitted
    log: bool = False  # drawn uniformly in its logarithm
    whole: bool = False  # only whole numbers
    falling: bool = False  # a smaller value is a stronger degradation (JPEG quality)


def severity(
    low: float,
    high: float,
    text: str,
    *,
    limits: tuple[float, float],
    log: bool = False,
    whole: bool = False,
    falling: bool = False,
) -> Any:
    """A dataclass field that holds the range from which one severity is drawn."""
    unit = Unit(text=text, limits=limits, log=log, whole=whole, falling=falling)
    return field(default=(float(low), float(high)), metadata={"unit": unit})


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """One way to spoil a picture. Subclasses are frozen dataclasses whose fields are made by `severity`.

    `apply` of a subclass takes exactly those fields as keyword arguments, one number each.
    """

    label: ClassVar[str]
    family: ClassVar[str]  # one of FAMILIES
    takes_depth: ClassVar[bool] = False  # `apply` takes a depth map too, as the keyword `depth`
    random: ClassVar[bool] = True  # False: the severities alone decide, another seed gives the same pixels

    def __post_init__(self) -> None:
        """Take a number for a range of one; refuse ranges that are reversed or outside the limits."""
        for name, unit in self.units().items():
            value = getattr(self, name)
            if isinstance(value, int | float):
                value = (float(value), float(value))
                object.__setattr__(self, name, value)  # frozen for everyone else
            low, high = unit.limits
            if not (isinstance(value, tuple) and len(value) == 2 and low <= value[0] <= value[1] <= high):
                raise UndegradeError(
                    f"{self.label}: {name} is {_shown(value)}; expected a number, or a range of a low and a high one, "
                    f"within {low:g} to {high:g} ({unit.text})"
                )
            if unit.whole and any(end != round(end) for end in value):
                raise UndegradeError(f"{self.label}: {name} is {_shown(value)}; expected whole numbers ({unit.text})")

    @classmethod
    def units(cls) -> dict[str, Unit]:
        """The severity fields and what they mean, in the order in which they are drawn."""
        return {f.name: f.metadata["unit"] for f in fields(cls) if "unit" in f.metadata}

    def at(self, fraction: dict[str, float]) -> dict[str, float]:
        """Severities at a fraction of each range: 0 is its low end, 1 its high end; a log field goes geometrically.

        They have `SEVERITY_DIGITS` digits, so that printed they replay the same pixels.
        """
        values = {}
        for name, unit in self.units().items():
            low, high = getattr(self, name)
            if unit.log:
                value = math.exp(math.log(low) + (math.log(high) - math.log(low)) * fraction[name])
            else:
                value = low + (high - low) * fraction[name]
            value = round(value) if unit.whole else float(f"{value:.{SEVERITY_DIGITS}g}")
            values[name] = float(min(max(value, low), high))
        return values

    def at_level(self, level: float) -> dict[str, float]:
        """Severities of a level from 0, the weakest of each range, to 1, the strongest; rises in every field."""
        return self.at({name: 1 - level if unit.falling else level for name, unit in self.units().items()})

    def sample(self, rng: torch.Generator) -> dict[str, float]:
        """Draw one severity a field; the dict replays the degradation together with the seed."""
        return self.at({name: torch.rand((), generator=rng).item() for name in self.units()})

    def level_of(self, severities: dict[str, float]) -> float:
        """The level of these severities, 0 to 1: the mean over the fields of where each lies in its range.

        0.5 where every range is a single number, 1 where there are no severities.
        """
        places = []
        for name, unit in self.units().items():
            low, high = getattr(self, name)
            scale = math.log if unit.log else float
            if high == low:
                continue
            place = (scale(severities[name]) - scale(low)) / (scale(high) - scale(low))
            places.append(1 - place if unit.falling else place)
        return sum(places) / len(places) if places else 0.5 if self.units() else 1.0

    def plan(self, rng: torch.Generator, levels: Levels = WHOLE_RANGE) -> tuple[Record, ...]:
        """What will be done: severities from this part of each range, and a seed, drawn; nothing is applied yet."""
        low, high = (self.at_level(level) for level in levels)
        part = replace(self, **{name: tuple(sorted((low[name], high[name]))) for name in low})
        severities = part.sample(rng)
        return (Record(degradation=self.label, severities=severities, seed=draw_seed(rng)),)

    def degrade(
        self, clean: Tensor, rng: torch.Generator, severities: dict[str, float], depth: Tensor | None = None
    ) -> Tensor:
        """`apply` with the severities as a dict: (..., 3, H, W) in [0, 1] -> same shape and range, input untouched.

        A depth map (..., 1, H, W), from 0 at the camera to 1 at the farthest point, takes the place of a random one.

        Raises:
            UndegradeError: the picture has fewer than `SMALLEST` pixels a side.
        """
        height, width = clean.shape[-2:]
        if min(height, width) < SMALLEST:
            raise UndegradeError(
                f"{self.label}: the picture is {width} x {height} pixels; expected at least {SMALLEST} x {SMALLEST}"
            )
        apply: Any = self.apply  # type: ignore[attr-defined]  # each subclass names its own severities
        if depth is not None and self.takes_depth:
            return apply(clean, rng, **severities, depth=depth)
        return apply(clean, rng, **severities)

    def middle(self) -> dict[str, float]:
        """The fixed mid severity at which tables are measured: the middle of each range."""
        return self.at(dict.fromkeys(self.units(), 0.5))


def _shown(value: object) -> str:
    """A range as it is written in a spec, a number where both ends are the same."""
    if isinstance(value, tuple) and all(isinstance(end, int | float) for end in value):
        return "..".join(dict.fromkeys(f"{end:.10g}" for end in value))
    return str(value)


def uniform(rng: torch.Generator, low: float, high: float) -> float:
    """One number from [low, high)."""
    return low + (high - low) * torch.rand((), generator=rng).item()


def draw_seed(rng: torch.Generator) -> int:
    """A seed for one step, small enough to pass through JSON unharmed."""
    return int(torch.randint(2**53, (), generator=rng))
