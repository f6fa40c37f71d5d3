"""`undegrade restore`: repair pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.options import Inputs, Ray, as_path, model_facts
from undegrade.cli.output import Report
from undegrade.inference.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from undegrade.cli.batching import Reported
    from undegrade.images import Limits
    from undegrade.images.sheet import Pair
    from undegrade.inference.jobs import Failure, Job

SHEET_SIDE = 768  # pixels; pictures are kept for the sheet and the page only so large, twice what a sheet shows

Out = Annotated[
    str | None,
    typer.Option("--out", "-o", metavar="PATH", help="File for one input, folder for several; else NAME.restored.EXT."),
]
Model = Annotated[
    str, typer.Option(metavar="NAME|PATH", help="A shipped model, a file or folder of one, or hf:OWNER/NAME.")
]
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


Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Also folders in folders; --out mirrors them.")]
Suffix = Annotated[str, typer.Option(metavar="WORD", help="Instead of restored, in NAME.restored.EXT.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that exist; never an input.")]
InPlace = Annotated[bool, typer.Option("--in-place", help="Replace the inputs; each is kept as NAME.original.EXT.")]
Strength = Annotated[
    float, typer.Option(min=0, max=1, help="How far to go from the original to what was restored; mixed as light is.")
]
KINDS = "noise, jpeg, motion_blur, defocus_blur, haze, rain, snow, low_light, mosaic, scratches"
Only = Annotated[
    list[str] | None, typer.Option(metavar="KINDS", help=f"Repair these alone, such as rain,haze. All are: {KINDS}.")
]
Skip = Annotated[list[str] | None, typer.Option(metavar="KINDS", help="Repair all but these.")]
Say = Annotated[
    str | None,
    typer.Option(metavar="SENTENCE", help='The same in words: "remove the rain but keep the grain" (extra text).'),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Repair all of --only, else what is likeliest, unchecked; blur by the model alone."),
]
Local = Annotated[bool, typer.Option("--local", help="Only where something is wrong, with soft edges; takes longer.")]
Preview = Annotated[
    Path | None, typer.Option(metavar="PAGE.html", help="Also write a page with a slider between before and after.")
]
AtOnce = Annotated[
    int | None, typer.Option("--jobs", min=1, help="Pictures at a time, else 1; with --ray one for each core.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def restore(
    context: typer.Context,
    inputs: Inputs,
    out: Out = None,
    model: Model = DEFAULT_MODEL,
    as_json: AsJson = False,
    sheet: Sheet = None,
    preview: Preview = None,
    strength: Strength = 1.0,
    only: Only = None,
    skip: Skip = None,
    say: Say = None,
    force: Force = False,
    local: Local = False,
    form: Format = None,
    quality: Quality = None,
    strip: Strip = False,
    keep: Keep = False,
    recursive: Recursive = False,
    suffix: Suffix = "restored",
    overwrite: Overwrite = False,
    in_place: InPlace = False,
    at_once: AtOnce = None,
    ray: Ray = None,
    dry_run: DryRun = False,
    max_pixels: MaxPixels = None,
    device: Device = None,
    precision: Digits = "auto",
    memory: Memory = None,
) -> None:
    """Repair pictures. What has nothing wrong with it is left alone; originals are never overwritten, unless asked."""
    wish = dict(context.params) | {"only": _kinds("--only", only), "skip": _kinds("--skip", skip)}
    if ray is not None:
        from undegrade.cli.archiving import restore_archive

        restore_archive(wish, {**_options(wish), "form": form}, debug=context.obj)
        return
    wish["inputs"] = [as_path(given) for given in inputs]
    _check(wish)
    piped = inputs == ["-"] or out == "-"
    report = Report(debug=context.obj, as_json=as_json, in_lines=True)
    sources, failures = ([], []) if piped else _find(wish)
    jobs = [] if piped else _plan(wish, sources)
    if dry_run:
        _say_plan(jobs, failures, report, wish)
        return
    _carry_out(wish, jobs, failures, report)


def _kinds(option: str, given: Sequence[str] | None) -> tuple[str, ...]:
    """What was given after the option, which may be repeated."""
    from undegrade.diagnosis import listed
    from undegrade.errors import UndegradeError

    kinds = listed(given or ())
    if given and not kinds:
        raise UndegradeError(f"{option}: names nothing; expected kinds, such as rain,haze, or leave it out")
    return kinds


def _check(wish: dict[str, Any]) -> None:
    """Refuse options that contradict each other."""
    from undegrade.errors import UndegradeError

    if wish["in_place"] and (wish["out"] or wish["form"]):
        raise UndegradeError("--in-place: writes each result over its input; leave out --out and --format")
    if Path("-") in wish["inputs"] and (len(wish["inputs"]) > 1 or wish["sheet"] or wish["preview"] or wish["dry_run"]):
        raise UndegradeError("-: stdin is one picture; give it alone, without --sheet, --preview and --dry-run")
    if wish["out"] == "-" and (len(wish["inputs"]) > 1 or wish["inputs"][0].is_dir() or wish["as_json"]):
        raise UndegradeError("--out -: stdout takes one picture; give one file, without --json")
    if wish["out"] == "-" and (wish["sheet"] or wish["preview"] or wish["dry_run"]):
        raise UndegradeError("--out -: stdout takes one picture; leave out --sheet, --preview and --dry-run")
    if wish["preview"] and wish["preview"].suffix.lower() not in (".html", ".htm"):
        raise UndegradeError(f"{wish['preview']}: a page with a slider; expected a name ending in .html")


def _find(wish: dict[str, Any]) -> tuple[list[Path], list[Failure]]:
    from undegrade.inference.jobs import find_inputs

    return find_inputs(wish["inputs"], recursive=wish["recursive"], suffix=wish["suffix"], out=wish["out"])


def _plan(wish: dict[str, Any], sources: Sequence[Path]) -> list[Job]:
    from undegrade.inference.jobs import plan_jobs

    return plan_jobs(
        wish["inputs"],
        sources,
        wish["out"],
        also=[wish["sheet"]] if wish["sheet"] else [],
        form=wish["form"],
        quality=wish["quality"],
        suffix=wish["suffix"],
        in_place=wish["in_place"],
        create=not wish["dry_run"],
    )


def _say_plan(jobs: Sequence[Job], failures: Sequence[Failure], report: Report, wish: dict[str, Any]) -> None:
    """What would be done."""
    from undegrade.inference.jobs import Failure, attempt

    for failure in failures:
        report.fail(failure)
    for job in jobs:
        what = attempt(job.source, partial(_would, job, wish))
        if isinstance(what, Failure):
            what = f"nothing: {what.reason}"
        record = {"input": str(job.source), "output": str(job.target), "would": what}
        report.add(record, (str(job.source), what, str(job.target)))
    report.finish(("picture", "would", "result"))


def _would(job: Job, wish: dict[str, Any]) -> str:
    from undegrade.inference.journal import NAME, peek
    from undegrade.inference.placing import check_place

    if job.home is not None and (job.home / NAME).is_file() and peek(job, _options(wish)):
        return "nothing: done before"
    check_place(job, overwrite=wish["overwrite"])
    if job.target == job.source:
        return "restore in place"
    return "replace" if job.target.exists() else "restore"


def _options(wish: dict[str, Any]) -> dict[str, object]:
    """All that a result depends on beside the input; not what the machine chooses, so that no model is needed."""
    from undegrade.inference.models import identity_of

    names = ("strip", "quality", "strength", "keep", "device", "precision", "only", "skip", "say", "force", "local")
    kinds = {name: ",".join(wish[name]) for name in ("only", "skip")}
    return {"model": identity_of(wish["model"]), **{name: wish[name] for name in names}, **kinds}


def _carry_out(wish: dict[str, Any], jobs: Sequence[Job], failures: Sequence[Failure], report: Report) -> None:
    from undegrade.api import Restorer
    from undegrade.cli.batching import COLUMNS, Batch
    from undegrade.cli.piping import through_pipes
    from undegrade.images import LIMITS, Limits
    from undegrade.inference.batch import Output
    from undegrade.inference.journal import open_journals

    restorer = Restorer(
        wish["model"],
        device=wish["device"] or "auto",
        precision=wish["precision"],
        memory=wish["memory"],
        only=wish["only"],
        skip=wish["skip"],
        force=wish["force"],
        say=wish["say"],
    )
    if restorer.understood:
        typer.echo(f"understood: {restorer.understood}", err=True)
    if wish["device"] is not None:
        typer.echo(restorer.choice, err=True)
    record = model_facts(restorer.backend.name, wish["model"]) if wish["keep"] else None
    output = Output(
        strip=wish["strip"], quality=wish["quality"], record=record, strength=wish["strength"], local=wish["local"]
    )
    limits = LIMITS if wish["max_pixels"] is None else Limits(max_pixels=wish["max_pixels"])
    if wish["inputs"] == [Path("-")] or wish["out"] == "-":
        given, out, overwrite = wish["inputs"][0], wish["out"], wish["overwrite"]
        through_pipes(restorer, given, out, wish["form"], overwrite=overwrite, limits=limits, output=output)
        return
    for failure in failures:
        report.fail(failure)
    with open_journals(jobs, _options(wish)) as journals:
        batch = Batch(
            restorer=restorer,
            output=output,
            limits=limits,
            journals=journals,
            overwrite=wish["overwrite"],
            at_once=wish["at_once"] or 1,
        )
        done = batch.carry_out(jobs, report)
    if done:
        _show(done, wish["sheet"], wish["preview"], limits, report)
    report.finish(COLUMNS)


def _show(done: Sequence[Reported], sheet: Path | None, preview: Path | None, limits: Limits, report: Report) -> None:
    """Writes the sheet and the page that were asked for."""
    from undegrade.cli.preview import Shown, write_preview
    from undegrade.images import before_after_sheet, reduced
    from undegrade.inference.jobs import Failure, attempt
    from undegrade.inference.placing import backup_of

    if sheet is None and preview is None:
        return
    shown: list[Shown] = []
    rows: list[Pair] = []
    for one in done:
        source, target = one.job.source, one.job.target
        before = backup_of(source) if source == target and one.record["changed"] else source
        first, second = (attempt(source, partial(reduced, path, SHEET_SIDE, limits)) for path in (before, target))
        if isinstance(first, Failure) or isinstance(second, Failure):
            report.fail(next(image for image in (first, second) if isinstance(image, Failure)))
            continue
        shown.append((source.name, "; ".join([one.said, *[one.remark] * bool(one.remark)]), first, second))
        rows.append((f"{source.name}: {one.said}", first, second))
    works = [(sheet, partial(before_after_sheet, rows)), (preview, partial(write_preview, shown))]
    for path, work in works:
        written = attempt(path, partial(work, path)) if path is not None else None
        if isinstance(written, Failure):
            report.fail(written)
