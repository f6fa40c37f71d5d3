"""What the parts of the evaluation page are written with: escaped text, numbers, tables."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from undegrade.evaluation.run import INPUT
from undegrade.metrics import METRICS

NUM_COLOURS = 6  # of models, in page.css
SHORT = 24  # letters of a name that stays on one line
CELLS = {False: "", True: " class=n"}


@dataclass(frozen=True, kw_only=True)
class Column:
    """Of a table.

    Args:
        title: its head, already escaped.
        number: whether numbers stand in it.
    """

    title: str
    number: bool = False


def escaped(text: object) -> str:
    """Text that may stand anywhere in HTML.

    >>> escaped('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(str(text))


def by_ruler(name: str) -> str:
    """The ruler's name, as it stands beside numbers."""
    return f'<span class="ruler">({escaped(name)})</span>'


def title_of(metric: str) -> str:
    """How a metric is called.

    >>> title_of("ms_ssim")
    'MS-SSIM'
    """
    unit = METRICS[metric].unit if metric in METRICS else ""
    return metric.upper().replace("_", "-") + (f", {unit}" if unit else "")


def shown(metric: str, value: float) -> str:
    """A metric's value with as many digits as it deserves.

    >>> shown("psnr", 24.734)
    '24.73'
    """
    return f"{value:.{digits_of(metric)}f}".replace("-", "\u2212")


def digits_of(metric: str) -> int:
    """Digits after the point."""
    return METRICS[metric].digits if metric in METRICS else 3


def signed(value: float, digits: int = 2) -> str:
    """With its sign, and a minus as wide as a plus; without one it is zero, and not rounded to it.

    >>> [signed(value).replace("\u2212", "-") for value in (1.5, -0.004, 0)]
    ['+1.50', '-0.00', '0.00']
    """
    return f"{value:{'+' if value else ''}.{digits}f}".replace("-", "\u2212")


def percent(share: float) -> str:
    """A share in [0, 1]; neither none nor all unless it is.

    >>> [percent(share).replace("\u00a0", " ") for share in (0.5, 0.001, 0.999, 1)]
    ['50 %', '&lt;1 %', '&gt;99 %', '100 %']
    """
    text = "&lt;1%" if 0 < share < 0.005 else "&gt;99%" if 0.995 <= share < 1 else f"{share:.0%}"
    return text.replace("%", "\u00a0%")


def chance(p: float) -> str:
    """A p value.

    >>> chance(0.0001), chance(0.034)
    ('p &lt; 0.001', 'p = 0.034')
    """
    return "p &lt; 0.001" if p < 0.001 else f"p = {p:.2g}"


def number_of(count: int, one: str, several: str) -> str:
    """A count with its noun.

    >>> number_of(1, "picture", "pictures")
    '1 picture'
    """
    return f"{count:,} {one if count == 1 else several}"


def colour(models: Sequence[str], model: str) -> str:
    """The class that gives a model its colour; the input has one of its own."""
    place = [name for name in models if name != INPUT].index(model) if model != INPUT else -1
    return "input" if place < 0 else f"m{place % NUM_COLOURS}"


def swatch(models: Sequence[str], model: str) -> str:
    """A short piece of the model's line."""
    kind = colour(models, model)
    return (
        f'<svg class="swatch {kind}" viewBox="0 0 24 10" aria-hidden="true">'
        f'<path class="curve d{kind.removeprefix("m")}" d="M1 5H23"/></svg>'
    )


def marked(models: Sequence[str], model: str) -> str:
    """A model's line and its name; of a long path only its end, where no other model is called so."""
    end = model.replace("\\", "/").rpartition("/")[2]
    alone = [name.replace("\\", "/").rpartition("/")[2] for name in models].count(end) == 1
    brief = f"\u2026/{end}" if end and end != model and len(model) > SHORT and alone else model
    return model_name(brief, swatch(models, model))


def model_name(name: str, mark: str = "") -> str:
    """As it was given, after a mark."""
    kind = "model short" if len(name) <= SHORT else "model"
    return f'<span class="{kind}">{mark}{escaped(name)}</span>'


def head(text: str) -> str:
    """A cell that names its line."""
    return f'<th scope="row" class="plain name">{text}</th>'


def headline(text: str, columns: int) -> str:
    """A line that names those below it."""
    return f'<tr class="over"><th scope="rowgroup" colspan="{columns}"><span>{text}</span></th></tr>'


def cell(text: str, *, number: bool = False, kind: str = "") -> str:
    """A cell."""
    kinds = " ".join(part for part in ("n" if number else "", kind) if part)
    return f'<td class="{kinds}">{text}</td>' if kinds else f"<td>{text}</td>"


def table(caption: str, columns: Sequence[Column], bodies: Sequence[str], *, label: str, narrow: bool = False) -> str:
    """A table in a frame of its own, which a keyboard can move.

    Args:
        caption: what it shows; markup.
        columns: its heads.
        bodies: `body`s.
        label: what a screen reader calls the frame; plain text.
        narrow: no wider than it has to be.
    """
    heads = "".join(f'<th scope="col"{CELLS[column.number]}>{column.title}</th>' for column in columns)
    kind = ' class="narrow"' if narrow else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(label)}">'
        f"<table{kind}><caption><span>{caption}</span></caption>"
        f"<thead><tr>{heads}</tr></thead>{''.join(bodies)}</table></div>"
    )


def body(lines: Sequence[str], kind: str = "") -> str:
    """Lines that belong together."""
    return f"<tbody{f' class={kind}' if kind else ''}>{''.join(lines)}</tbody>"


def line(cells: Sequence[str], kind: str = "") -> str:
    """A line of cells."""
    return f"<tr{f' class={kind}' if kind else ''}>{''.join(cells)}</tr>"
