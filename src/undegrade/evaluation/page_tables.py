"""Tables of the evaluation page: what failed, what became worse, all means, and which model is better."""

from __future__ import annotations

from collections.abc import Sequence

from undegrade.batch import CLEAN
from undegrade.evaluation.page_changes import Change, changes
from undegrade.evaluation.page_markup import (
    Column,
    body,
    by_ruler,
    cell,
    chance,
    digits_of,
    escaped,
    head,
    headline,
    line,
    marked,
    model_name,
    number_of,
    percent,
    shown,
    signed,
    swatch,
    table,
    title_of,
)
from undegrade.evaluation.report import Run
from undegrade.evaluation.run import INPUT
from undegrade.evaluation.statistics import MEAN, Comparison, Row
from undegrade.metrics import METRICS

METRIC = "psnr"
MOST_FAILURES, MOST_WORSE = 50, 5  # lines
MOST_ROWS = 16  # degradations in a table that is not folded up
FEW = 6  # pictures: with fewer the signed-rank test cannot come below 0.05
NAMES = {MEAN: "all degraded", CLEAN: "clean pictures"}


def failures(run: Run) -> str:
    """Everything that could not be measured; empty where there is nothing."""
    if not run.failures:
        return ""
    lines = [
        line(
            [
                head(marked(run.models, score.model)),
                cell(escaped(score.error), kind="error"),
                *(cell(escaped(text)) for text in (score.row, score.picture)),
            ]
        )
        for score in run.failures[:MOST_FAILURES]
    ]
    more = len(run.failures) - len(lines)
    caption = f"<strong>{number_of(len(run.failures), 'restoration', 'restorations')}</strong> could not be measured"
    caption += f"; {more:,} more stand in the record of <code>--json</code>" if more else ""
    columns = [Column(title=title) for title in ("Model", "What was wrong", "Degradation", "Picture")]
    return table(caption, columns, [body(lines)], label="Failures")


def made_worse(run: Run, model: str) -> str:
    """The pictures that a model did the most harm to, degraded and clean ones, or that there are none."""
    found = changes(run, model)
    worse = [change for change in found if change.gain < 0]
    harmed = [change for change in changes(run, model, clean=True) if change.gain < 0]
    if not found and not harmed:
        return f"<p>{model_name(model)}: no picture was measured.</p>"
    name = marked(run.models, model)
    if not worse:
        text = f"<p>{name} made none of {number_of(len(found), 'degraded picture', 'degraded pictures')} worse.</p>"
    else:
        share = f"{len(worse):,} of {number_of(len(found), 'degraded picture', 'degraded pictures')}"
        text = _harm(run, f"{name} made {share} worse", worse, label=f"{model}: pictures made worse")
    if harmed:
        share = (
            f"{len(harmed):,} of {number_of(len(changes(run, model, clean=True)), 'clean picture', 'clean pictures')}"
        )
        text += _harm(run, f"{name} changed {share}", harmed, label=f"{model}: clean pictures changed", clean=True)
    return text if not (worse or harmed) else f'<div class="harm">{text}</div>'


def _harm(run: Run, caption: str, found: Sequence[Change], *, label: str, clean: bool = False) -> str:
    """A line a picture, the most harm first."""
    by = by_ruler(run.ruler.name)
    found = sorted(found, key=lambda change: (change.after if clean else change.gain, change.score.key))
    psnr = [Column(title=f"PSNR {when}, dB {by}", number=True) for when in ("before", "after")]
    gain = Column(title=f"Gain, dB {by}", number=True)
    columns = [Column(title="Picture"), gain, Column(title="Degradation"), *psnr]
    if clean:
        columns = [Column(title="Picture"), Column(title=f"PSNR against itself, dB {by}", number=True)]
    lines = []
    for change in found[:MOST_WORSE]:
        cells = [head(escaped(change.score.picture))]
        if not clean:
            cells.append(cell(signed(change.gain), kind="n bad"))
            cells += [cell(escaped(change.score.row)), cell(shown(METRIC, change.before), number=True)]
        lines.append(line([*cells, cell(shown(METRIC, change.after), number=True)]))
    more = f"; the {len(lines)} worst" if len(lines) < len(found) else ""
    return table(caption + more, columns, [body(lines)], label=label, narrow=True)


def results(run: Run) -> str:
    """The means of every model in every row with their intervals, the input first, the row of means on top."""
    rows = run.rows()
    by = by_ruler(run.ruler.name)
    heads = [Column(title="Model")]
    for name in run.metrics:
        heads += [Column(title=f"{escaped(title)} {by}", number=True) for title in (title_of(name), "95 % interval")]
    heads += [Column(title=f"Gain, dB {by}", number=True)]
    heads += [Column(title=title, number=True) for title in ("Worse", "Named", "Seconds", "Pictures")]
    names = list(dict.fromkeys(row.row for row in rows))
    names.sort(key=lambda name: name != MEAN)  # stable: the means come first, all others as in the suite
    bodies = {name: _group(run, name, [row for row in rows if row.row == name]) for name in names}
    caption = (
        f"Means over the pictures with their 95 % intervals, by the ruler <strong>{escaped(run.ruler.name)}</strong>; "
        "the best model in bold"
    )
    label = f"Results on {run.data}, ruler {run.ruler.name}"
    if len(names) <= MOST_ROWS:
        return table(caption, heads, list(bodies.values()), label=label)
    first = [bodies[name] for name in names if name in NAMES]
    folded = table(caption, heads, [bodies[name] for name in names if name not in NAMES], label=f"{label}, each")
    rest = f"<details><summary>All {len(names) - len(first)} degradations and severities</summary>{folded}</details>"
    return table(caption, heads, first, label=label) + rest if first else folded


def _group(run: Run, name: str, rows: Sequence[Row]) -> str:
    """All models on one degradation."""
    best = {}
    for metric in run.metrics:
        values = [row.values[metric] for row in rows if row.model != INPUT and row.values and not row.failed]
        higher = METRICS[metric].higher_is_better if metric in METRICS else True
        if len(values) > 1:
            best[metric] = shown(metric, max(values) if higher else min(values))
    lines = [headline(escaped(NAMES.get(name, name)), 2 + 2 * len(run.metrics) + 4)]
    for row in rows:
        is_input = row.model == INPUT
        told = f"{swatch(run.models, INPUT)}input" if is_input else marked(run.models, row.model)
        told += '<strong class="bad">INCOMPLETE</strong>' if row.failed else ""
        cells = [
            head(told),
            *(text for metric in run.metrics for text in _mean(row, metric, best)),
        ]
        gain = "" if is_input or name == CLEAN or not row.values else signed(row.gain)
        worse = "" if is_input or not row.values else percent(row.worse)
        named = "" if row.named is None else percent(row.named)
        seconds = "" if is_input or not row.values else _seconds(row.seconds)
        kind = "n bad" if row.gain < 0 and gain else "n"
        cells += [cell(gain, kind=kind), *(cell(text, number=True) for text in (worse, named, seconds))]
        count = f"{row.pictures:,} of {row.pictures + row.failed:,}" if row.failed else f"{row.pictures:,}"
        cells.append(cell(count, number=True))
        lines.append(line(cells, "before" if is_input else ""))
    return body(lines, "mean" if name == MEAN else "")


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds >= 0.005 else "&lt;0.01"


def _mean(row: Row, metric: str, best: dict[str, str]) -> list[str]:
    """A metric's mean and its interval."""
    if metric not in row.values:
        return [cell("", number=True)] * 2
    value = shown(metric, row.values[metric])
    kind = "n best" if row.model != INPUT and not row.failed and best.get(metric) == value else "n"
    ends = f"{shown(metric, row.low[metric])} to {shown(metric, row.high[metric])}"
    return [cell(value, kind=kind), cell(ends, kind="n ends")]


def comparisons(run: Run) -> str:
    """Of each two models; empty where there is one."""
    found = run.comparisons()
    if not found:
        return ""
    by, metric = by_ruler(run.ruler.name), run.metrics[0]
    lines = []
    for one in found:
        digits = digits_of(metric)
        ends = f"{signed(one.low, digits)} to {signed(one.high, digits)}"
        cells = [
            head(marked(run.models, one.first)),
            cell(marked(run.models, one.second), kind="name"),
            cell(f"{one.pictures:,}", number=True),
            cell(signed(one.difference, digits), number=True),
            cell(ends, kind="n ends"),
            cell(chance(one.p).removeprefix("p ").removeprefix("= "), number=True),
            cell(_told(one)),
        ]
        lines.append(line(cells))
    title = escaped(title_of(metric))
    heads = [("Model", False), ("against", False), ("Pictures", True), (f"Difference, {title} {by}", True)]
    heads += [(f"95 % interval {by}", True), ("p", True)]
    columns = [Column(title=text, number=number) for text, number in (*heads, ("So", False))]
    return "<h3>Which model is better</h3>" + table(
        "First minus second, picture by picture over all degradations; p by Wilcoxon&rsquo;s "
        "signed-rank test, not corrected for several comparisons",
        columns,
        [body(lines)],
        label=f"Comparisons, ruler {run.ruler.name}",
    )


def _told(one: Comparison) -> str:
    if not is_sure(one):
        return "too few pictures to tell" if one.pictures < FEW else "no sure difference"
    return f"{model_name(one.first if one.difference > 0 else one.second)} has more"


def is_sure(one: Comparison) -> bool:
    """Whether both the interval and the test speak for a difference."""
    return one.p < 0.05 and (one.low > 0 or one.high < 0)
