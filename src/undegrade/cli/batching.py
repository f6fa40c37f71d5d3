"""The pictures of `undegrade restore`, one after another or several at a time, each reported as it is done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undegrade.cli.output import Report, progress
from undegrade.diagnosis import called
from undegrade.images import check_target
from undegrade.inference.batch import Done, Output, restore_file
from undegrade.inference.header import file_sha256
from undegrade.inference.jobs import Failure, Job, attempt
from undegrade.inference.journal import Finished, Journal, content_sha256
from undegrade.inference.placing import check_place, place, unfinished
from undegrade.reports import done_data, found

if TYPE_CHECKING:
    from undegrade.diagnosis import Diagnosis
    from undegrade.images import Limits
    from undegrade.inference.restorer import Restorer

COLUMNS = ("picture", "found", "done", "result", "seconds")
BEFORE = "done before"


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What is said of one picture."""

    job: Job
    record: dict[str, Any]
    row: tuple[str, ...]
    outcome: str  # "restored", "left alone" or "done before"

    @property
    def remark(self) -> str:
        """Why nothing was repaired, or not all of it; empty where there is nothing to say."""
        return remark_of(self.record)

    @property
    def said(self) -> str:
        """What was done, and what was found."""
        _, found, what, *_ = self.row
        return f"{what} ({found})"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """How pictures are restored.

    Args:
        restorer: shared by all of them.
        output: how results are written.
        limits: how large files may be.
        journals: of what is done already, by their folders; a single picture has none.
        overwrite: replace results that exist.
        at_once: how many pictures at a time.
    """

    restorer: Restorer[Diagnosis]
    output: Output
    limits: Limits
    journals: Mapping[Path, Journal]
    overwrite: bool
    at_once: int
    _parts: dict[Job, float] = field(default_factory=dict)

    def carry_out(self, jobs: Sequence[Job], report: Report) -> list[Reported]:
        """Restores all that can be; reports each, and all together where there are several."""
        began, done, counts = time.perf_counter(), [], Counter[str]()
        with progress(len(jobs)) as advance, ThreadPoolExecutor(self.at_once) as pool:
            futures = [pool.submit(attempt, job.source, partial(self._restore, job, advance)) for job in jobs]
            try:
                for future in as_completed(futures) if self.at_once > 1 else futures:
                    outcome = future.result()
                    if isinstance(outcome, Failure):
                        report.fail(outcome)
                        counts["failed"] += 1
                        continue
                    report.add(outcome.record, outcome.row)
                    report.remark(outcome.record, outcome.remark)
                    counts[outcome.outcome] += 1
                    done.append(outcome)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if len(jobs) > 1:
            megapixels = sum(one.record["pixels"] for one in done if one.outcome != BEFORE) / 1e6
            report.summarise(counts, megapixels, time.perf_counter() - began)
        return done

    def _restore(self, job: Job, advance: Callable[[float], None]) -> Reported:
        journal = None if job.home is None else self.journals.get(job.home)
        known = None if journal is None else journal.find(job)
        if known is not None:
            self._tell(job, 1, advance)
            row = (*known["row"][:2], BEFORE, *known["row"][3:])
            return Reported(job=job, record={**known["record"], "before": True}, row=row, outcome=BEFORE)
        check_place(job, overwrite=self.overwrite)
        with unfinished(job, journal) as part:
            check_target(job.target, self.output.quality)
            source = "" if journal is None else content_sha256(job.source)
            tiles = lambda done, total: self._tell(job, done / total, advance)  # noqa: E731
            done = restore_file(self.restorer, replace(job, target=part), tiles, limits=self.limits, output=self.output)
            record, row = describe(job, done)
            if journal is not None:
                finished = Finished(part=part, source=source, content=file_sha256(part))
                journal.note(job, finished, {"record": record, "row": row})
            place(job, part, overwrite=self.overwrite)
        self._tell(job, 1, advance)
        return Reported(job=job, record=record, row=row, outcome="restored" if done.changed else "left alone")

    def _tell(self, job: Job, share: float, advance: Callable[[float], None]) -> None:
        """Moves the bar by a part of one picture."""
        self._parts[job] = share
        advance(sum(list(self._parts.values())))


def describe(job: Job, done: Done[Diagnosis]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The record and the row of one file."""
    changed = sum(page.changed for page in done.pages)
    record = {"input": str(job.source), "output": str(job.target), **done_data(done)}
    sentence = "; ".join(dict.fromkeys(found(page.diagnosis) for page in done.pages))
    what = _repaired(record) if changed else "left alone"
    if len(done.pages) > 1:
        what = f"{changed} of {len(done.pages)} pages restored"
    return record, (str(job.source), sentence, what, str(job.target), f"{done.seconds:.2f}")


def _repaired(record: Mapping[str, Any]) -> str:
    """What was repaired, and whether that is all.

    >>> _repaired({"repaired": [{"kind": "low_light", "strength": 0.75}], "left": ["low_light", "noise"]})
    'restored in part: low light 75 %'
    """
    steps = [(step["kind"], step["strength"]) for step in record["repaired"] if step["kind"]]
    parts = ["" if strength == 1 else f" {100 * strength:.0f} %" for _, strength in steps]
    kinds = [called(kind).replace("_", " ") + part for (kind, _), part in zip(steps, parts, strict=True)]
    said = "restored in part" if record["left"] else "restored"
    return f"{said}: {', '.join(kinds)}" if kinds else said


def remark_of(record: Mapping[str, Any]) -> str:
    """Why nothing was repaired of a file, or not all of it, by its record, and what would; empty where all was.

    >>> remark_of({"reason": "haze: might do harm", "repaired": [{"kind": "rain"}], "left": ["haze"]})
    'haze: might do harm; to repair all of it, unchecked: --force --only rain,haze'
    """
    pages = record.get("pages", [record])
    said = dict.fromkeys(page["reason"] for page in pages if page["reason"])
    # Records of earlier versions say nothing of what is left.
    left = dict.fromkeys(called(kind) for page in pages for kind in page.get("left", ()))
    steps = [step["kind"] for page in pages for step in page["repaired"] if left and step["kind"]]
    wanted = dict.fromkeys([*map(called, steps), *left])
    how = [f"to repair all of it, unchecked: --force --only {','.join(wanted)}"] if left else []
    return "; ".join([*said, *how])
