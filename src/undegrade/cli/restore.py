"""`undegrade restore`: repair pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.output import Report, as_data, progress
from undegrade.inference.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from undegrade.diagnosis import Diagnosis
    from undegrade.inference.batch import Job
    from undegrade.inference.restorer import Restored

SHEET_SIDE = 768  # pixels; pictures are kept for the sheet only so large, twice what it shows


def restore(
    context: typer.Context,
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="Picture files, or folders of them.")],
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="PATH", help="File for one input, folder for several; else NAME.restored.EXT."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="A shipped model, or a .xml or .safetensors file.")
    ] = (DEFAULT_MODEL),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Also write one picture that shows every input before and after.")
    ] = None,
) -> None:
    """Repair pictures. What has nothing wrong with it is left alone; originals are never overwritten."""
    from undegrade.api import load
    from undegrade.images import before_after_sheet
    from undegrade.images.stream import reduced
    from undegrade.inference.batch import Failure, attempt, find_inputs, plan_jobs, restore_file

    report = Report(debug=context.obj, as_json=as_json)
    sources, failures = find_inputs(inputs)
    jobs = plan_jobs(inputs, sources, out, also=[sheet] if sheet else [])
    restorer = load(model)
    pairs: list[tuple[str, Any, Any]] = []
    for failure in failures:
        report.fail(failure)
    with progress(len(jobs)) as advance:
        for number, job in enumerate(jobs):
            outcome = attempt(job.source, partial(restore_file, restorer, job, _parts(advance, number)))
            advance(number + 1)
            if isinstance(outcome, Failure):
                report.fail(outcome)
                continue
            original, restored, notes = outcome
            report.add(*_describe(job, restored, notes))
            if sheet:
                label = f"{job.source.name}: {_sentence(restored)}"
                if original.pixels.size:
                    pairs.append((label, _reduced(original.pixels), _reduced(restored.picture.pixels)))
                else:  # it was restored in bands
                    pairs.append((label, reduced(job.source, SHEET_SIDE), reduced(job.target, SHEET_SIDE)))
    if sheet and pairs:
        written = attempt(sheet, partial(before_after_sheet, pairs, sheet))
        if isinstance(written, Failure):
            report.fail(written)
    report.finish(("picture", "found", "done", "result", "seconds"))


def _parts(advance: Callable[[float], None], number: int) -> Callable[[int, int], None]:
    """Moves the bar by the tiles of one picture."""
    return lambda done, total: advance(number + done / total)


def _describe(
    job: Job, restored: Restored[Diagnosis], notes: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The record and the row of one picture."""
    record = {
        "input": str(job.source),
        "output": str(job.target),
        "changed": restored.changed,
        "diagnosis": as_data(restored.diagnosis) if restored.diagnosis else None,
        "seconds": round(restored.seconds, 3),
        "notes": list(notes),
    }
    done = "restored" if restored.changed else "left alone"
    row = (str(job.source), _sentence(restored), done, str(job.target), f"{restored.seconds:.2f}")
    return record, row


def _sentence(restored: Restored[Diagnosis]) -> str:
    return restored.diagnosis.sentence if restored.diagnosis else "not named by this model"


def _reduced(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, H, W) averaged over whole blocks until the longer side is below twice SHEET_SIDE; a copy."""
    factor = max(1, max(pixels.shape[1:]) // SHEET_SIDE)
    if factor == 1 or min(pixels.shape[1:]) < factor:
        return pixels.copy()
    height, width = (size // factor for size in pixels.shape[1:])
    blocks = pixels[:, : height * factor, : width * factor].reshape(3, height, factor, width, factor)
    return blocks.mean((2, 4))
