"""What a run has shown, with all that is needed to check it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from undegrade.evaluation.machine import machine, versions
from undegrade.evaluation.rulers import Ruler
from undegrade.evaluation.run import INPUT, Score
from undegrade.evaluation.statistics import Comparison, Row, compare, summarise

FAILURE = ("model", "row", "picture", "error")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A suite on a set by one ruler.

    Args:
        suite: its name.
        data: name of the set.
        crop: side of the centre crop, pixels; 0: whole pictures.
        ruler: by which is measured.
        metrics: names.
        scores: of all pictures and models, the input first.
        problems: what is wrong with the set.
    """

    suite: str
    data: str
    crop: int
    ruler: Ruler
    metrics: tuple[str, ...]
    scores: tuple[Score, ...]
    problems: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """In the order in which they were asked for, the input first."""
        return tuple(dict.fromkeys(score.model for score in self.scores))

    @property
    def failures(self) -> tuple[Score, ...]:
        """What could not be measured."""
        return tuple(score for score in self.scores if score.error)

    @property
    def complete(self) -> bool:
        """Whether every picture of the set was measured with every model."""
        return not self.failures and not self.problems

    def rows(self) -> list[Row]:
        """See `statistics.summarise`."""
        return summarise(self.scores, self.metrics)

    def comparisons(self) -> list[Comparison]:
        """Of each two models, by the first metric."""
        names = [name for name in self.models if name != INPUT]
        pairs = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
        found = [compare(self.scores, one, other, self.metrics[0]) for one, other in pairs]
        return [comparison for comparison in found if comparison]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "suite": self.suite,
            "data": self.data,
            "crop": self.crop,
            "ruler": self.ruler.name,
            "definition": self.ruler.says,
            "complete": self.complete,
            "problems": list(self.problems),
            "failures": [
                {"model": s.model, "row": s.row, "picture": s.picture, "error": s.error} for s in self.failures
            ],
            "rows": [_rounded(asdict(row)) for row in self.rows()],
            "comparisons": [_rounded(asdict(comparison)) for comparison in self.comparisons()],
        }


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    """Numbers to ten places, more than anything here is known to."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found[name] = (
            _rounded(value) if isinstance(value, dict) else round(value, 10) if isinstance(value, float) else value
        )
    return found


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What stands beside the numbers.

    Args:
        command: that was given.
        date: of the run, UTC.
        machine: processor, cores, system, Python.
        versions: of the packages that take part.
        weights: of each model a fingerprint of its file.
    """

    command: str
    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    weights: dict[str, str]


def circumstances(command: str, weights: dict[str, str]) -> Circumstances:
    """Of this process, now."""
    return Circumstances(
        command=command,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(),
        versions=versions(),
        weights=weights,
    )
