"""Pictures of the evaluation page: what each model made of its worst, median and best ones."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.evaluation.page_changes import Change, changes, examples
from undegrade.evaluation.page_markup import by_ruler, escaped, marked, shown, signed
from undegrade.evaluation.report import Run
from undegrade.evaluation.run import OUTPUTS, Plan, Restore, centre_crop, make, read_output
from undegrade.evaluation.suite import Task
from undegrade.evaluation.work import Work

Pixels = NDArray[np.float32]  # (3, H, W) in [0, 1]

SIDE = 256  # of the shown crop, pixels
EXAMPLES = 3  # pictures in each of the three groups of a model
MOST_CARDS = 27  # in a page with that many examples; with more models or rulers there are fewer of each
MOST_BYTES = 38_000  # of a picture, before it is written as text
QUALITIES = (88, 75, 60, 40, 20)  # of WebP, until a picture is small enough
AMPLIFIED = 4  # times that the residual is made stronger
RESIDUAL = f"residual \u00d7 {AMPLIFIED}"  # how it is called
ALIKE = 0.01  # dB


def gallery(run: Run, work: Work, open_model: Callable[[str], Restore], count: int) -> str:
    """A card a picture, `count` of the worst, the median and the best of each model by the gain in PSNR."""
    parts = [_model(run, work, open_model, model, count) for model in run.models[1:]]
    if not any(parts):
        return ""
    return (
        f"<h3>Pictures</h3><p>Of each model the pictures with the least, the median and the most gain in PSNR. Shown "
        f"is the middle, at most {SIDE} pixels a side, in lossy WebP; numbers are of whole pictures without it. The "
        f"residual is |restored &minus; clean|, made {AMPLIFIED} times as strong: black is without fault.</p>"
        + "".join(parts)
    )


def examples_for(runs: int, models: int) -> int:
    """How many pictures of each group keep the page small.

    >>> examples_for(1, 3), examples_for(1, 4), examples_for(5, 9)
    (3, 2, 1)
    """
    return max(1, min(EXAMPLES, MOST_CARDS // (3 * max(1, runs * models))))


def _model(run: Run, work: Work, open_model: Callable[[str], Restore], model: str, count: int) -> str:
    found = changes(run, model)
    if not found:
        return ""
    chosen = examples(found, count)
    name = f"<h4>{marked(run.models, model)}</h4>"
    try:
        restore = None if model.startswith(OUTPUTS) else open_model(model)
    except UndegradeError as error:
        return f"{name}<p>Not shown. {escaped(error)}</p>"
    groups = {"Least gain": chosen.worst, "Median": chosen.middle, "Most gain": chosen.best}
    cards = [
        f"<h5>{title}</h5>{''.join(_card(run, work, restore, change) for change in group)}"
        for title, group in groups.items()
        if group
    ]
    return name + "".join(cards)


def _card(run: Run, work: Work, restore: Restore | None, change: Change) -> str:
    """The facts of a picture, and the picture made again."""
    score, by = change.score, by_ruler(run.ruler.name)
    kind = "gain bad" if change.gain < 0 else "gain"
    psnr = f"{shown('psnr', change.before)} to {shown('psnr', change.after)} dB"
    facts = [
        f'<p class="title">{escaped(score.row)}, {escaped(score.picture)}</p>',
        f'<p class="{kind}">{signed(change.gain)} dB</p>',
        f"<p>PSNR {psnr} {by}</p>",
    ]
    if score.named is not None:
        wrong = (
            "" if score.kind in (score.named, None) else f', <span class="bad">but it is {escaped(score.kind)}</span>'
        )
        facts.append(f"<p>Named {escaped(score.named)}{wrong}</p>")
    try:
        degraded, restored, clean, warning = _made_again(run, work, restore, change)
    except UndegradeError as error:
        return f'<div class="card"><div>{"".join(facts)}</div><p>Not shown. {escaped(error)}</p></div>'
    what = f"{score.row}, {score.picture}, {score.model}"
    return f'<div class="card"><div>{"".join(facts)}{warning}</div>{_tiles(degraded, restored, clean, what)}</div>'


def _made_again(run: Run, work: Work, restore: Restore | None, change: Change) -> tuple[Pixels, Pixels, Pixels, str]:
    """The degraded picture, the restored and the clean one; and what to say if they are not those that were measured.

    Raises:
        UndegradeError: they cannot be made.
    """
    score = change.score
    plan = Plan(data=work.folder, layout=work.layout, ruler=run.ruler, metrics=run.metrics)
    task = _task(work, score.row, score.picture)
    degraded, clean = make(plan, task)
    one = restore or partial(read_output, Path(score.model.removeprefix(OUTPUTS)), task)
    restored = one(degraded, task.kind)[0]
    again = run.ruler.measure(restored, clean, ("psnr",))["psnr"]
    warning = ""
    if abs(again - change.after) > ALIKE:
        by = by_ruler(run.ruler.name)
        warning = f'<p class="bad">Made again for this page it has {shown("psnr", again)} dB {by}.</p>'
    return degraded, np.clip(restored, 0, 1), clean, warning


def _task(work: Work, row: str, picture: str) -> Task:
    for task in work.tasks:
        if task.key == (row, picture):
            return task
    raise UndegradeError(f"{row}, {picture}: not among the pictures of {work.suite} any more")


def _tiles(degraded: Pixels, restored: Pixels, clean: Pixels, what: str) -> str:
    """Degraded and restored share a slider; clean and residual stand beside it."""
    residual = np.clip(AMPLIFIED * np.abs(restored - clean), 0, 1)
    return (
        f'<div class="tiles"><div class="pair">{_tile(degraded, "degraded", what)}{_tile(restored, "restored", what)}'
        f'<i class="handle"></i><input type="range" min="0" max="100" value="50" '
        f'aria-label="{escaped(f"Degraded left, restored right: {what}")}">'
        '<div class="ends-of" aria-hidden="true"><b>degraded</b><b>restored</b></div></div>'
        f"{_tile(clean, 'clean', what)}{_tile(residual, RESIDUAL, what)}</div>"
    )


def _tile(picture: Pixels, title: str, what: str) -> str:
    crop = centre_crop(picture, SIDE)
    _, height, width = crop.shape
    data = base64.b64encode(encoded(crop)).decode()
    return (
        f'<div class="tile"><img alt="{escaped(f"{title}: {what}")}" width="{width}" height="{height}" '
        f'src="data:image/webp;base64,{data}"><span>{escaped(title)}</span></div>'
    )


def encoded(picture: Pixels) -> bytes:
    """(3, H, W) as WebP, of so good a quality as fits into `MOST_BYTES`, else the lowest."""
    from PIL import Image

    image = Image.fromarray(np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8).transpose(1, 2, 0))
    data = b""
    for quality in QUALITIES:
        file = io.BytesIO()
        image.save(file, "WEBP", quality=quality, method=4)
        data = file.getvalue()
        if len(data) <= MOST_BYTES:
            break
    return data
