"""`undegrade evaluate`: measure models on pictures, by rulers with names."""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.output import progress, show
from undegrade.errors import UndegradeError
from undegrade.inference.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from undegrade.evaluation.report import Run
    from undegrade.evaluation.run import Restore
    from undegrade.evaluation.scores_file import ScoresFile
    from undegrade.evaluation.statistics import Row
    from undegrade.evaluation.work import Work

FRESH, PEER, OUTPUTS = "fresh:", "peer:", "outputs:"  # before what is no model file
SHOWN = 10  # things that are wrong, of which each is said
WIDE = {"psnr": "PSNR, dB", "ssim": "SSIM"}  # how metrics are written


def evaluate(
    data: Annotated[
        str | None,
        typer.Option(metavar="DIR[:LAYOUT]", help="Clean pictures, pairs, a pack, shards, or a folder of test sets."),
    ] = None,
    suite: Annotated[
        str | None, typer.Option(metavar="NAME", help="generated_10d, ..., or a standard set such as CBSD68.")
    ] = None,
    on: Annotated[str | None, typer.Option(metavar="SET", help="The set that a generated suite spoils.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|PATH", help="A shipped model, a model file, peer:NAME or fresh:NETWORK; several."),
    ] = None,
    outputs: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Pictures that another program restored; several.")
    ] = None,
    ruler: Annotated[list[str] | None, typer.Option(metavar="NAME", help="undegrade, dcpt, ...; several.")] = None,
    metric: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Beside PSNR and SSIM; several.")] = None,
    border: Annotated[int, typer.Option(min=0, help="Pixels at each edge that are not measured.")] = 0,
    crop: Annotated[int | None, typer.Option(min=0, help="Side of the centre crop, pixels; 0: whole pictures.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a line a picture, as they come.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one page with everything.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the --csv file of a run that was broken off.")] = False,
    save_images: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep DIR/MODEL/ROW/PICTURE.png.")] = None,
) -> None:
    """Restore degraded pictures whose clean version is known, and measure them before and after.

    Exit code 1: pictures were missing or could not be measured, and the scores are incomplete.
    """
    from undegrade.evaluation.page import write_page
    from undegrade.evaluation.report import circumstances
    from undegrade.evaluation.rulers import find_ruler
    from undegrade.metrics.energy import measured

    models = [*(model or ([] if outputs else [DEFAULT_MODEL])), *(f"{OUTPUTS}{path}" for path in outputs or ())]
    weights = {name: _checked(name) for name in models}
    rulers = [find_ruler(name, border) for name in dict.fromkeys(ruler or ["undegrade"])]
    metrics = _metrics(metric)
    work = _work(data, suite, on, crop)
    file = _scores_file(csv, metrics, resume)
    with measured() as cost:
        found = [measure(work, one, models, weights, metrics, file, workers, save_images) for one in rulers]
    about = circumstances(" ".join(["undegrade", *sys.argv[1:]]), weights)
    if html:
        write_page(found, about, work, html, open_model)
    _tell({**asdict(about), "cost": asdict(cost)}, found, as_json=as_json)


def _tell(about: dict[str, Any], runs: Sequence[Run], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**about, "runs": [run.record() for run in runs]}, indent=2, allow_nan=False))
    else:
        _print(runs)
    if not all(run.complete for run in runs):
        raise typer.Exit(1)


def _work(data: str | None, suite: str | None, on: str | None, crop: int | None) -> Work:
    from undegrade.data.pairs import parse_place
    from undegrade.evaluation.work import find_work

    folder, layout = parse_place(data) if data else (None, None)
    return find_work(folder, layout, suite=suite, on=on, crop=crop)


def _metrics(names: list[str] | None) -> tuple[str, ...]:
    from undegrade.metrics import find_metric

    for name in names or ():
        find_metric(name)
    return tuple(dict.fromkeys(["psnr", "ssim", *(names or [])]))


def _scores_file(path: Path | None, metrics: tuple[str, ...], resume: bool) -> ScoresFile | None:
    from undegrade.evaluation.scores_file import ScoresFile

    if path is None and resume:
        raise UndegradeError("--resume: goes on with the file of --csv, which is missing")
    return None if path is None else ScoresFile(path, metrics, resume=resume)


def measure(
    work: Work,
    ruler: object,
    models: Sequence[str],
    weights: dict[str, str],
    metrics: tuple[str, ...],
    file: ScoresFile | None,
    workers: int,
    images: Path | None,
) -> Run:
    """One ruler's scores of all models, from the file as far as they are known."""
    from undegrade.evaluation.report import Run
    from undegrade.evaluation.rulers import Ruler
    from undegrade.evaluation.run import INPUT, Plan, carry_out

    assert isinstance(ruler, Ruler)
    plan = Plan(data=work.folder, layout=work.layout, ruler=ruler, metrics=metrics, images=images)
    run = f"{work.suite} on {work.data}, ruler {ruler.name}, crop {work.crop}"
    wanted = {(model, *task.key) for model in (INPUT, *models) for task in work.tasks}
    known = [score for score in (file.known(run, weights) if file else []) if score.key in wanted]
    scores = {score.key: score for score in known}
    new = carry_out(plan, work.tasks, models, open_model, workers=workers, done=scores)
    with progress(len(wanted)) as advance:
        for score in file.kept(run, weights, new) if file else new:
            scores[score.key] = score
            advance(len(scores))
    order = [(model, *task.key) for model in (INPUT, *models) for task in work.tasks]
    return Run(
        suite=work.suite,
        data=work.data,
        crop=work.crop,
        ruler=ruler,
        metrics=metrics,
        scores=tuple(scores[key] for key in order),
        problems=work.problems,
    )


def open_model(name: str) -> Restore:
    """What a model makes of a picture, and what it says is wrong with it.

    Raises:
        UndegradeError: there is no such model.
    """
    if name.startswith(PEER):
        from undegrade.evaluation.peers import find_peer

        peer = find_peer(name)
        return lambda degraded, kind: (peer.restore(degraded, kind), None)
    if name.startswith(FRESH):
        return _fresh(name.removeprefix(FRESH))
    from undegrade.api import load
    from undegrade.images import Picture

    restorer = load(name)

    def restore(degraded: NDArray[np.float32], kind: str | None) -> tuple[NDArray[np.float32], str | None]:
        restored = restorer.restore(Picture(pixels=degraded))
        return restored.picture.pixels, restored.diagnosis.label if restored.diagnosis else None

    return restore


def _fresh(text: str) -> Restore:
    """A network with random weights, from seed 0: NAME, or NAME(field=value, ...) of its Config."""
    import torch

    from undegrade.networks import NETWORKS

    name, _, fields = text.removesuffix(")").partition("(")
    if name not in NETWORKS:
        raise UndegradeError(f"--model {FRESH}{text}: no such network; known are {', '.join(NETWORKS)}")
    made: Any = NETWORKS[name]  # each has a Config of its own
    pairs = [field.partition("=") for field in fields.split(",") if field]
    try:
        config = made.Config(**{key.strip(): ast.literal_eval(value) for key, _, value in pairs})
    except (ValueError, TypeError, SyntaxError, UndegradeError) as error:
        raise UndegradeError(f"--model {FRESH}{text}: no such network ({error})") from None
    torch.manual_seed(0)
    network = made(config).eval()

    @torch.no_grad()
    def restore(degraded: NDArray[np.float32], kind: str | None) -> tuple[NDArray[np.float32], str | None]:
        pixels: NDArray[np.float32] = network(torch.from_numpy(degraded)[None])[0].numpy()
        return pixels, None

    return restore


def _checked(model: str) -> str:
    """A fingerprint of a model's file; empty where there is none.

    Raises:
        UndegradeError: it cannot be run: better said now than for each picture.
    """
    from undegrade.inference.models import identity_of

    if model.startswith(OUTPUTS):
        if not Path(model.removeprefix(OUTPUTS)).is_dir():
            raise UndegradeError(f"--outputs {model.removeprefix(OUTPUTS)}: no such folder; expected one of pictures")
        return ""
    open_model(model)
    if model.startswith((PEER, FRESH)):
        return ""
    return "-".join(part[:12] for part in identity_of(model))  # what names and checks counts, too


def _print(runs: Sequence[Run]) -> None:
    for run in runs:
        typer.echo(f"{run.suite} on {run.data}, ruler {run.ruler.name}: {run.ruler.says}")
        metrics = [f"{WIDE.get(name, name)} ({run.ruler.name})" for name in run.metrics]
        columns = ("model", "row", "pictures", *metrics, "95 %", "gain, dB", "named", "worse")
        show([], columns, [_cells(row, run.metrics) for row in run.rows()], as_json=False)
        for one in run.comparisons():
            print(
                f"{one.first} against {one.second}, {one.metric} ({run.ruler.name}): {one.difference:+.2f} "
                f"({one.low:+.2f} to {one.high:+.2f}), p = {one.p:.2g}, {one.pictures} pictures",
                file=sys.stderr,
            )
        wrong = [*run.problems, *(f"{s.model}, {s.row}, {s.picture}: {s.error}" for s in run.failures)]
        for text in wrong[:SHOWN]:
            print(f"error: {text}", file=sys.stderr)
        if wrong:
            more = f"; {len(wrong) - SHOWN} more are in --json" if len(wrong) > SHOWN else ""
            print(f"error: the scores are INCOMPLETE, {len(wrong)} things were wrong{more}", file=sys.stderr)


def _cells(row: Row, metrics: tuple[str, ...]) -> tuple[str, ...]:
    values = [f"{row.values[name]:.{2 if name == 'psnr' else 3}f}" if row.values else "" for name in metrics]
    ends = f"{row.low['psnr']:.2f} to {row.high['psnr']:.2f}" if row.values else ""
    named = "" if row.named is None else f"{row.named:.0%}"
    pictures = f"{row.pictures}" if not row.failed else f"{row.pictures} of {row.pictures + row.failed}, INCOMPLETE"
    return (row.model, row.row, pictures, *values, ends, f"{row.gain:+.2f}", named, f"{row.worse:.0%}")
