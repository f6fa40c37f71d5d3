"""Scores in a CSV file, a line a picture, written as they come: what a broken run is gone on with."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.evaluation.run import Score

FACTS = ("model", "row", "picture", "kind", "level", "named", "seconds", "error")


class ScoresFile:
    """A file of scores of one or several runs.

    Args:
        path: of the file; it is made where it does not exist.
        metrics: that every line has.
        resume: go on with what lies there.

    Raises:
        UndegradeError: it exists and is not to be resumed, is no file of scores, or has other metrics.
    """

    def __init__(self, path: Path, metrics: tuple[str, ...], *, resume: bool) -> None:
        self.path, self.metrics = path, metrics
        self._known: list[dict[str, str]] = []
        self._columns = ("run", "weights", *FACTS, *metrics)
        if path.exists() and not resume:
            raise UndegradeError(f"{path}: exists; --resume goes on with it, or choose another file")
        if path.exists():
            self._known = self._read()
        self._write(self._known)  # without the line that a run broke off in

    def known(self, run: str, weights: Mapping[str, str]) -> list[Score]:
        """The scores of a run so far, of models whose weights are still the same, failed ones left out.

        Args:
            run: its name: suite, set, ruler and crop.
            weights: of each model a fingerprint.
        """
        return [
            self._score(line)
            for line in self._known
            if line["run"] == run and not line["error"] and weights.get(line["model"], "") == line["weights"]
        ]

    def kept(self, run: str, weights: Mapping[str, str], scores: Iterable[Score]) -> Iterator[Score]:
        """The scores, each written before it is passed on."""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            for score in scores:
                facts = ["" if getattr(score, name) is None else getattr(score, name) for name in FACTS]
                values = [score.values.get(name, "") for name in self.metrics]
                writer.writerow([run, weights.get(score.model, ""), *facts, *values])
                file.flush()
                yield score

    def _read(self) -> list[dict[str, str]]:
        try:
            with self.path.open(newline="", encoding="utf-8") as file:
                head, *lines = list(csv.reader(file)) or [[]]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UndegradeError(f"{self.path}: cannot be read as a file of scores ({error})") from None
        if tuple(head) != self._columns:
            raise UndegradeError(
                f"{self.path}: no scores of the metrics {', '.join(self.metrics)}, so it cannot be gone on with; "
                "choose another file"
            )
        return [dict(zip(head, line, strict=True)) for line in lines if len(line) == len(head)]

    def _write(self, lines: list[dict[str, str]]) -> None:
        try:
            with self.path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, self._columns)
                writer.writeheader()
                writer.writerows(lines)
        except OSError as error:
            raise UndegradeError(f"{self.path}: cannot be written ({error.strerror})") from None

    def _score(self, line: dict[str, str]) -> Score:
        return Score(
            model=line["model"],
            row=line["row"],
            picture=line["picture"],
            kind=line["kind"] or None,
            level=float(line["level"]) if line["level"] else None,
            named=line["named"] or None,
            seconds=float(line["seconds"]),
            values={name: float(line[name]) for name in self.metrics},
        )
