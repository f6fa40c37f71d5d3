"""`undegrade degrade`: spoil pictures on purpose."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.output import Report, progress
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.batch import Record
    from undegrade.images import Picture
    from undegrade.inference.jobs import Job


def degrade(
    context: typer.Context,
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="Picture files, or folders of them.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="PATH", help="File for one input, folder for several.")],
    specs: Annotated[
        list[str] | None,
        typer.Option(
            "--as", metavar="SPEC", help='"noise(sigma=25)", "rain", "second_order"; several happen in order.'
        ),
    ] = None,
    again: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="Do what was done to this file, by its record.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**62, help="Of everything random; the second picture takes SEED + 1, and so on.")
    ] = 0,
    depth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Depth map for haze, fog, dust: black near, white far. Else a random one."),
    ] = None,
    keep: Annotated[bool, typer.Option("--record", help="Write what was done into the PNG or JPEG.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Spoil pictures as `undegrade degradations` lists it. Needs PyTorch."""
    from undegrade.images import read_picture
    from undegrade.inference.jobs import Failure, attempt, find_inputs, plan_jobs

    if bool(specs) == bool(again):
        raise UndegradeError("degrade: expected either --as SPEC or --replay FILE")
    _check(specs or [])
    records = read_records(again) if again else None
    scene = read_picture(depth) if depth else None
    report = Report(debug=context.obj, as_json=as_json)
    sources, failures = find_inputs(inputs)
    jobs = plan_jobs(inputs, sources, out)
    for failure in failures:
        report.fail(failure)
    with progress(len(jobs)) as advance:
        for number, job in enumerate(jobs):
            work = partial(_degrade_file, job, specs or [], seed + number, records, keep, scene)
            done = attempt(job.source, work)
            advance(number + 1)
            if isinstance(done, Failure):
                report.fail(done)
                continue
            report.add(*_describe(job, seed + number, *done))
    report.finish(("picture", "degraded by", "result"))


def _check(specs: list[str]) -> None:
    """A mistake in one concerns every input, so nothing is begun."""
    from undegrade.inference.extras import needs_train

    with needs_train("undegrade degrade"):
        from undegrade.degradations import find_step
    for spec in specs:
        find_step(spec)


def _describe(
    job: Job, seed: int, applied: tuple[Record, ...], notes: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The record and the row of one picture."""
    from undegrade.degradations.records import to_data

    entry = {"input": str(job.source), "output": str(job.target), "seed": seed}
    row = (str(job.source), ", ".join(map(_as_spec, applied)), str(job.target))
    return {**entry, "records": to_data(applied), "notes": list(notes)}, row


def _degrade_file(
    job: Job,
    specs: list[str],
    seed: int,
    records: tuple[Record, ...] | None,
    keep: bool,
    depth: Picture | None,
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """What was applied, and notes on what the file could not keep."""
    from undegrade.api import degrade_picture, replay_picture
    from undegrade.degradations.records import to_text
    from undegrade.images import read_picture, write_picture

    clean = read_picture(job.source)
    if records is None:
        picture, applied = degrade_picture(clean, specs, seed=seed, depth=depth)
    else:
        picture, applied = replay_picture(clean, records, depth), records
    if keep:
        comments = (*picture.metadata.comments, ("Comment", to_text(applied)))
        picture = replace(picture, metadata=replace(picture.metadata, comments=comments))
    return applied, picture.notes + write_picture(picture, job.target)


def read_records(path: Path) -> tuple[Record, ...]:
    """What was done to a file that `undegrade degrade --record` wrote.

    Raises:
        UndegradeError: the file cannot be read, or carries no record.
    """
    from undegrade.degradations.records import MARK, from_text
    from undegrade.images import read_picture

    found = [text for _, text in read_picture(path).metadata.comments if text.startswith(MARK)]
    if not found:
        raise UndegradeError(f"{path}: carries no record; expected a file written by undegrade degrade --record")
    try:
        return from_text(found[-1])
    except UndegradeError as error:
        raise UndegradeError(f"{path}: {error}") from None


def _as_spec(applied: Record) -> str:
    """What was applied, written as a spec."""
    severities = ", ".join(f"{name}={value:g}" for name, value in applied.severities.items())
    return f"{applied.degradation}({severities})" if severities else applied.degradation
