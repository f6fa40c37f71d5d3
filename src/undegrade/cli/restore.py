"""`undegrade restore`: repair pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.output import Report, as_data, progress, sentence_of
from undegrade.inference.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from undegrade.diagnosis import Diagnosis
    from undegrade.inference.batch import Done, Job, Page
    from undegrade.inference.restorer import Restorer

SHEET_SIDE = 768  # pixels; pictures are kept for the sheet only so large, twice what it shows


Inputs = Annotated[list[Path], typer.Argument(metavar="INPUT", help="Picture files, or folders of them.")]
Out = Annotated[
    str | None,
    typer.Option("--out", "-o", metavar="PATH", help="File for one input, folder for several; else NAME.restored.EXT."),
]
Model = Annotated[str, typer.Option(metavar="NAME|PATH", help="A shipped model, or a .xml or .safetensors file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Sheet = Annotated[Path | None, typer.Option(help="Also write one picture that shows every input before and after.")]
Format = Annotated[
    str | None, typer.Option("--format", metavar="NAME", help="Write png, jpg, tif, webp or avif; else as it was.")
]
Quality = Annotated[int | None, typer.Option(min=1, max=100, help="Of JPEG, WebP and AVIF, else 95; no other has one.")]
Strip = Annotated[bool, typer.Option("--strip", help="Write colours as sRGB and no metadata at all.")]
Keep = Annotated[bool, typer.Option("--record", help="Note in the XMP metadata what was done.")]
Device = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="auto, cpu, cuda or mps; says in one line what runs the model, and why."),
]
Digits = Annotated[str, typer.Option("--precision", metavar="NAME", help="auto, bf16, fp16 or f32.")]
Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="What the process may take at most, such as 1.5GB.")]
MaxPixels = Annotated[
    int | None, typer.Option(min=1, metavar="COUNT", help="Refuse larger files undecoded; else above a gigapixel.")
]


def restore(
    context: typer.Context,
    inputs: Inputs,
    out: Out = None,
    model: Model = DEFAULT_MODEL,
    as_json: AsJson = False,
    sheet: Sheet = None,
    form: Format = None,
    quality: Quality = None,
    strip: Strip = False,
    keep: Keep = False,
    max_pixels: MaxPixels = None,
    device: Device = None,
    precision: Digits = "auto",
    memory: Memory = None,
) -> None:
    """Repair pictures. What has nothing wrong with it is left alone; originals are never overwritten."""
    from undegrade.api import Restorer
    from undegrade.images import LIMITS, Limits, before_after_sheet, reduced
    from undegrade.inference.batch import Failure, Output, attempt, find_inputs, plan_jobs, restore_file

    report = Report(debug=context.obj, as_json=as_json)
    sources, failures = find_inputs(inputs)
    jobs = plan_jobs(inputs, sources, out, also=[sheet] if sheet else [], form=form, quality=quality)
    restorer = Restorer(model, device=device or "auto", precision=precision, memory=memory)
    if device is not None:
        typer.echo(restorer.choice, err=True)
    output = Output(strip=strip, quality=quality, record=_model_facts(restorer, model) if keep else None)
    limits = LIMITS if max_pixels is None else Limits(max_pixels=max_pixels)
    pairs: list[tuple[str, Any, Any]] = []
    for failure in failures:
        report.fail(failure)
    with progress(len(jobs)) as advance:
        for number, job in enumerate(jobs):
            tiles = _parts(advance, number)
            work = partial(restore_file, restorer, job, tiles, limits=limits, output=output)
            outcome = attempt(job.source, work)
            advance(number + 1)
            if isinstance(outcome, Failure):
                report.fail(outcome)
                continue
            report.add(*_describe(job, outcome))
            if sheet:
                before, after = (reduced(path, SHEET_SIDE, limits) for path in (job.source, job.target))
                pairs.append((f"{job.source.name}: {sentence_of(outcome.pages[0].diagnosis)}", before, after))
    if sheet and pairs:
        written = attempt(sheet, partial(before_after_sheet, pairs, sheet))
        if isinstance(written, Failure):
            report.fail(written)
    report.finish(("picture", "found", "done", "result", "seconds"))


def _parts(advance: Callable[[float], None], number: int) -> Callable[[int, int], None]:
    """Moves the bar by the tiles of one picture."""
    return lambda done, total: advance(number + done / total)


def _model_facts(restorer: Restorer[Diagnosis], model: str) -> dict[str, str]:
    """What the record says of undegrade and the model."""
    from undegrade import __version__
    from undegrade.inference.header import file_sha256
    from undegrade.inference.models import find_model

    return {
        "Software": f"undegrade {__version__}",
        "Model": restorer.backend.name,
        "ModelSHA256": file_sha256(find_model(model)),
    }


def _describe(job: Job, done: Done[Diagnosis]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The record and the row of one file."""
    first, changed = done.pages[0], sum(page.changed for page in done.pages)
    record: dict[str, Any] = {
        "input": str(job.source),
        "output": str(job.target),
        "changed": done.changed,
        "diagnosis": _diagnosis(first),
        "seconds": round(done.seconds, 3),
        "notes": list(done.notes),
    }
    what, sentence = "restored" if changed else "left alone", sentence_of(first.diagnosis)
    if len(done.pages) > 1:
        record["pages"] = [{"changed": page.changed, "diagnosis": _diagnosis(page)} for page in done.pages]
        what = f"{changed} of {len(done.pages)} pages restored"
        sentence = "; ".join(dict.fromkeys(sentence_of(page.diagnosis) for page in done.pages))
    return record, (str(job.source), sentence, what, str(job.target), f"{done.seconds:.2f}")


def _diagnosis(page: Page[Diagnosis]) -> dict[str, Any] | None:
    return as_data(page.diagnosis) if page.diagnosis else None
