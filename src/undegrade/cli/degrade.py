"""`undegrade degrade`: spoil pictures on purpose."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undegrade.cli.output import Report, progress

if TYPE_CHECKING:
    from undegrade.api import Applied
    from undegrade.inference.batch import Job


def degrade(
    context: typer.Context,
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="Picture files, or folders of them.")],
    specs: Annotated[
        list[str], typer.Option("--as", metavar="SPEC", help='"noise(sigma=25)", "rain"; several happen in order.')
    ],
    out: Annotated[str, typer.Option("--out", "-o", metavar="PATH", help="File for one input, folder for several.")],
    seed: Annotated[
        int, typer.Option(min=0, max=2**62, help="Of everything random; the second picture takes SEED + 1, and so on.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Spoil pictures as `undegrade degradations` lists it. Needs PyTorch."""
    from undegrade.inference.batch import Failure, attempt, find_inputs, plan_jobs
    from undegrade.inference.extras import needs_train

    with needs_train("undegrade degrade"):
        from undegrade.degradations import parse
    for spec in specs:
        parse(spec)  # a mistake in one concerns every input, so nothing is begun
    report = Report(debug=context.obj, as_json=as_json)
    sources, failures = find_inputs(inputs)
    jobs = plan_jobs(inputs, sources, out)
    for failure in failures:
        report.fail(failure)
    with progress(len(jobs)) as advance:
        for number, job in enumerate(jobs):
            done = attempt(job.source, partial(_degrade_file, job, specs, seed + number))
            advance(number + 1)
            if isinstance(done, Failure):
                report.fail(done)
                continue
            applied, notes = done
            record = {
                "input": str(job.source),
                "output": str(job.target),
                "seed": seed + number,
                "applied": [{"degradation": a.degradation, "severities": a.severities} for a in applied],
                "notes": list(notes),
            }
            report.add(record, (str(job.source), ", ".join(map(_as_spec, applied)), str(job.target)))
    report.finish(("picture", "degraded by", "result"))


def _degrade_file(job: Job, specs: list[str], seed: int) -> tuple[tuple[Applied, ...], tuple[str, ...]]:
    """What was applied, and notes on what the file could not keep."""
    from undegrade.api import degrade_picture
    from undegrade.images import read_picture, write_picture

    picture, applied = degrade_picture(read_picture(job.source), specs, seed=seed)
    return applied, picture.notes + write_picture(picture, job.target)


def _as_spec(applied: Applied) -> str:
    """What was applied, written as a spec that does it again."""
    severities = ", ".join(f"{name}={value:g}" for name, value in applied.severities.items())
    return f"{applied.degradation}({severities})" if severities else applied.degradation
