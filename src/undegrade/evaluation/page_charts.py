"""Charts of the evaluation page, as SVG within it: a radar, severity curves, and the gains of all pictures."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from undegrade.batch import CLEAN
from undegrade.evaluation.page_changes import changes
from undegrade.evaluation.page_markup import by_ruler, colour, escaped, marked, shown
from undegrade.evaluation.report import Run
from undegrade.evaluation.run import INPUT
from undegrade.evaluation.statistics import MEAN, Row

METRIC = "psnr"
CORNERS = 3  # that a radar needs at least
RADIUS, MIDDLE = 150, (310, 215)  # of the radar, in its own units
MOST_RANKS = 200  # points of a line of gains
NAME_WIDTH = 11  # letters in a line of an axis's name, where words allow
TICKS = 5  # at most so many on an axis


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From values to places on an axis.

    Args:
        low: value at its start.
        high: value at its end.
        step: between ticks.
        start: place of the lowest value.
        end: place of the highest.
    """

    low: float
    high: float
    step: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value; what is off the axis stands at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """The round values on it."""
        return [self.low + self.step * i for i in range(round((self.high - self.low) / self.step) + 1)]


def scale_over(values: Sequence[float], start: float, end: float) -> Scale:
    """An axis from a round number below all values to one above them.

    >>> scale_over([11.2, 28.9], 0, 1).ticks
    [10.0, 15.0, 20.0, 25.0, 30.0]
    """
    low, high = min(values), max(values)
    power = 10.0 ** math.floor(math.log10(max(high - low, 0.1) / TICKS))
    steps = [power * times for times in (1, 2, 5, 10, 20)]
    fits = [step for step in steps if math.ceil(high / step) - math.floor(low / step) <= TICKS]
    step = fits[0] if fits else steps[-1]
    low, high = step * math.floor(low / step), step * math.ceil(high / step)
    return Scale(low=low, high=max(high, low + step), step=step, start=start, end=end)


def charts(run: Run) -> str:
    """All charts of a run that its rows allow."""
    rows = [row for row in run.rows() if row.row not in (MEAN, CLEAN) and METRIC in row.values]
    wide = "".join([radar(run, rows), gains(run)])
    legend = _legend(run, run.models) if wide else ""
    parts = [f'{legend}<div class="charts">{wide}</div>'] if wide else []
    return "".join([*parts, severity_curves(run, rows)])


def radar(run: Run, rows: Sequence[Row]) -> str:
    """Mean PSNR of each model and the input over the degradations; empty where they are fewer than three."""
    axes, means = _over_levels(run, rows)
    if len(axes) < CORNERS or not means:
        return ""
    scale = scale_over(list(means.values()), 0, RADIUS)
    parts = [*_rings(scale, len(axes)), *(_axis_name(name, i, len(axes)) for i, name in enumerate(axes))]
    for model in run.models:
        there = [(i, name, means[model, name]) for i, name in enumerate(axes) if (model, name) in means]
        places = [_corner(i, len(axes), scale(value)) for i, _, value in there]
        path = _path(places) + ("Z" if len(places) == len(axes) else "")
        if model == INPUT:
            parts.append(f'<path class="given" d="{path}"/>')
            continue
        says = [f"{model}, {name}: {shown(METRIC, value)} dB ({run.ruler.name})" for _, name, value in there]
        parts.append(_curve(colour(run.models, model), path, places, says))
    parts += [  # beside the first axis, which points upwards
        f'<text x="{MIDDLE[0] + 5}" y="{MIDDLE[1] - scale(tick) + 15:.1f}">{tick:g}</text>' for tick in scale.ticks[1:]
    ]
    label = f"Radar chart of mean PSNR over {len(axes)} degradations; its numbers are in the table above"
    return (
        f"<figure><figcaption>Mean PSNR, dB {by_ruler(run.ruler.name)}, over the degradations; the middle is "
        f"{scale.low:g} dB. The gray shape is the input: outside it a model helps.</figcaption>"
        f"{_svg(620, 430, label, parts)}</figure>"
    )


def gains(run: Run) -> str:
    """The PSNR gain of every picture, in order, a line a model; empty where there are fewer than two."""
    found = {model: [change.gain for change in changes(run, model)] for model in run.models[1:]}
    found = {model: values for model, values in found.items() if len(values) > 1}
    if not found:
        return ""
    across = Scale(low=0, high=1, step=0.5, start=70, end=590)
    up = scale_over([0.0, *(value for values in found.values() for value in values)], 370, 20)
    parts = _levels(up, 70, 590)
    for tick, name in zip(across.ticks, ("worst", "median", "best"), strict=True):
        anchor = "middle" if tick < 1 else "end"
        parts.append(f'<text x="{across(tick):.1f}" y="396" text-anchor="{anchor}">{name}</text>')
    if up.low < 0:
        parts.append(f'<rect class="loss" x="70" y="{up(0):.1f}" width="520" height="{up(up.low) - up(0):.1f}"/>')
    parts.append(f'<path class="zero" d="M70 {up(0):.1f}H590"/>')
    for model, values in found.items():
        ranks = np.unique(np.linspace(0, len(values) - 1, MOST_RANKS).round().astype(int))
        places = [(across(rank / (len(values) - 1)), up(values[rank])) for rank in ranks]
        parts.append(_curve(colour(run.models, model), _path(places), [], []))
    label = "PSNR gain of every picture from the worst to the best, a line a model"
    return (
        f"<figure><figcaption>PSNR gain of every picture, dB {by_ruler(run.ruler.name)}, from the worst to the best. "
        f"Below zero a picture was made worse.</figcaption>{_svg(620, 430, label, parts)}</figure>"
    )


def severity_curves(run: Run, rows: Sequence[Row]) -> str:
    """PSNR in against PSNR out for each degradation that was tried at several severities; empty where none was."""
    kinds = {score.row: score.kind or _base(score.row, score.level) for score in run.scores}
    names: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.model == INPUT:
            names[kinds[row.row]].append(row.row)
    several = {kind: of_one for kind, of_one in names.items() if len(of_one) > 1}
    if not several:
        return ""
    shown_rows = [row for row in rows if any(row.row in of_one for of_one in several.values())]
    figures = []
    for kind, of_one in several.items():
        drawn = _in_and_out(run, [row for row in shown_rows if row.row in of_one])
        label = f"{kind}: PSNR of the restored pictures against that of the degraded ones, at {len(of_one)} severities"
        figures.append(f"<figure><figcaption>{escaped(kind)}</figcaption>{_svg(280, 250, label, drawn)}</figure>")
    return (
        f"<h4>Severity curves</h4><p>Across: mean PSNR of the degraded pictures, dB; up: that of the restored ones, dB "
        f"{by_ruler(run.ruler.name)}. A dot is a severity, the gray line is no change, and above it a model helps. "
        "Each chart has axes of its own.</p>"
        f'{_legend(run, run.models[1:])}<div class="small">{"".join(figures)}</div>'
    )


def _in_and_out(run: Run, rows: Sequence[Row]) -> list[str]:
    """Of one degradation, both axes alike."""
    values = [value for row in rows for value in (row.values[METRIC], row.values[METRIC] - row.gain)]
    across, up = scale_over(values, 44, 268), scale_over(values, 214, 10)
    parts = _levels(up, 44, 268)
    parts += [f'<text x="{across(tick):.1f}" y="236" text-anchor="middle">{tick:g}</text>' for tick in across.ticks]
    parts.append(f'<path class="zero" d="{_path([(across(value), up(value)) for value in (up.low, up.high)])}"/>')
    for model in run.models[1:]:
        of_one = [row for row in rows if row.model == model]
        found = sorted((row.values[METRIC] - row.gain, row.values[METRIC], row.row) for row in of_one)
        places = [(across(before), up(after)) for before, after, _ in found]
        says = [
            f"{model}, {name}: {shown(METRIC, before)} to {shown(METRIC, after)} dB ({run.ruler.name})"
            for before, after, name in found
        ]
        parts.append(_curve(colour(run.models, model), _path(places), places, says))
    return parts


def _over_levels(run: Run, rows: Sequence[Row]) -> tuple[list[str], dict[tuple[str, str], float]]:
    """The degradations, and the mean PSNR of (model, degradation), over its levels where there are several."""
    levels = {score.row: score.level for score in run.scores}
    parts: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        parts[row.model, _base(row.row, levels[row.row])].append(row.values[METRIC])
    axes = list(dict.fromkeys(name for _, name in parts))
    return axes, {key: float(np.mean(values)) for key, values in parts.items()}


def _base(row: str, level: float | None) -> str:
    """A row's name without its level."""
    return row if level is None else row.removesuffix(f" {level:g}")


def _rings(scale: Scale, count: int) -> list[str]:
    parts = []
    for tick in scale.ticks[1:]:
        corners = [_corner(i, count, scale(tick)) for i in range(count)]
        parts.append(f'<path class="grid" d="{_path(corners)}Z"/>')
    parts += [f'<path class="grid" d="{_path([MIDDLE, _corner(i, count, RADIUS)])}"/>' for i in range(count)]
    return parts


def _axis_name(name: str, i: int, count: int) -> str:
    """At the end of an axis, in lines of a few words."""
    across, down = _corner(i, count, RADIUS + 14)
    words, lines = name.removeprefix("cdd11_").replace("_", " ").replace("(", " (").split(), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) > NAME_WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    aside = across - MIDDLE[0]
    anchor = "middle" if abs(aside) < 1 else "start" if aside > 0 else "end"
    above = len(lines) - 1 if down < MIDDLE[1] - RADIUS else (len(lines) - 1) / 2 if abs(aside) >= 1 else 0
    spans = "".join(
        f'<tspan x="{across:.1f}" dy="{1.1 if number else 0.32 - 1.1 * above:.2f}em">{escaped(text)}</tspan>'
        for number, text in enumerate(lines)
    )
    return f'<text class="axis" y="{down:.1f}" text-anchor="{anchor}">{spans}</text>'


def _corner(i: int, count: int, radius: float) -> tuple[float, float]:
    """The first axis points upwards, the others follow clockwise."""
    angle = 2 * math.pi * i / count
    return MIDDLE[0] + radius * math.sin(angle), MIDDLE[1] - radius * math.cos(angle)


def _curve(kind: str, path: str, places: Sequence[tuple[float, float]], says: Sequence[str]) -> str:
    """A line with dots that say what they are."""
    dots = "".join(
        f'<circle class="dot" cx="{across:.1f}" cy="{down:.1f}" r="4.5"><title>{escaped(text)}</title></circle>'
        for (across, down), text in zip(places, says, strict=True)
    )
    return f'<g class="{kind}"><path class="curve d{kind[1:]}" d="{path}"/>{dots}</g>'


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if i else 'M'}{across:.1f} {down:.1f}" for i, (across, down) in enumerate(places))


def _levels(up: Scale, left: float, right: float) -> list[str]:
    """Lines across at the ticks of an upright axis, and their numbers."""
    return [
        f'<path class="grid" d="M{left} {up(tick):.1f}H{right}"/>'
        f'<text x="{left - 8}" y="{up(tick) + 5:.1f}" text-anchor="end">{tick:g}</text>'.replace(">-", ">\u2212")
        for tick in up.ticks
    ]


def _svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escaped(label)}">'
        f"<title>{escaped(label)}</title>{''.join(parts)}</svg>"
    )


def _legend(run: Run, models: Sequence[str]) -> str:
    items = [f"<li>{marked(run.models, model)}</li>" for model in models]
    return f'<ul class="legend">{"".join(items)}</ul>'
