"""One HTML page, complete in itself, of what a network is like."""

from __future__ import annotations

from pathlib import Path

from undegrade.atomic import written_whole
from undegrade.evaluation.inspection import ENERGY, Inspection, Layer
from undegrade.evaluation.machine import machine, versions
from undegrade.evaluation.page import asset
from undegrade.evaluation.page_markup import Column, body, cell, escaped, head, line, percent, table

COLUMNS = (
    Column(title="layer"),
    Column(title="kind"),
    Column(title="parameters", number=True),
    Column(title="time, share", number=True),
    Column(title="effective rank", number=True),
    Column(title="empty filters", number=True),
    Column(title="entropy (random)", number=True),
    Column(title="degenerate"),
)
BAR = "display:inline-block;height:.6em;background:var(--m0);vertical-align:baseline;margin-left:.4em"
WIDEST = 8.0  # em, of the bar of the slowest layer


def write_inspection(found: Inspection, path: Path) -> None:
    """Write the page.

    Raises:
        UndegradeError: the file cannot be written.
    """
    slowest = max((layer.seconds for layer in found.layers), default=0.0) or 1.0
    lines = [_line(layer, found.seconds, slowest) for layer in found.layers]
    seen = ", and by its statistics the whole picture" if found.whole else ""
    facts = [
        f"{found.parameters:,} parameters",
        f"{found.multiplications / 1e9:.2f} GMAC and {found.seconds:.3f} s for {found.side} x {found.side} pixels "
        f"(PyTorch float32, {found.threads} threads)",
        f"{ENERGY:.0%} of what a pixel depends on lies within {found.field} pixels{seen}",
    ]
    if found.degenerate is not None:
        facts.append(f"{found.degenerate:.0%} of the 3 x 3 filters stand in degenerate layers")
    about = {**machine(), **versions()}
    circumstances = ", ".join(f"{name} {value}" for name, value in about.items())
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">',
        f"<title>{escaped(found.name)} - undegrade</title><style>{asset('page.css')}</style></head><body>",
        f"<header><h1>{escaped(found.name)}</h1></header><main><ul>",
        *(f"<li>{escaped(fact)}</li>" for fact in facts),
        "</ul>",
        table("Every layer with weights", COLUMNS, [body(lines)], label="Layers"),
        f'<p class="note">{escaped(NOTE)}</p><p class="note">{escaped(circumstances)}</p></main></body></html>',
    ]
    with written_whole(path) as unfinished:
        unfinished.write_text("".join(parts), encoding="utf-8", newline="\n")


NOTE = (
    "Effective rank: exp of the entropy of the singular values (Roy and Vetterli, 2007). Empty filters: no coefficient "
    "of the 3 x 3 filter reaches a hundredth of the layer's largest. Entropy: of the variance along the nine principal "
    "directions, beside that of random filters (after the CNN Filter DB, CVPR 2022); a layer is degenerate where most "
    "filters are empty, all are alike, or they are no more ordered than random ones."
)


def _line(layer: Layer, whole: float, slowest: float) -> str:
    filters = layer.filters
    bar = f'<span style="{BAR};width:{WIDEST * layer.seconds / slowest:.2f}em" aria-hidden="true"></span>'
    verdict = "" if filters is None or filters.degenerate is None else "yes" if filters.degenerate else "no"
    return line(
        [
            head(f"<code>{escaped(layer.name)}</code>"),
            cell(escaped(f"{layer.kind} {' x '.join(map(str, layer.shape))}")),
            cell(f"{layer.parameters:,}", number=True),
            cell(f"{percent(layer.seconds / whole)}{bar}", number=True),
            cell("" if layer.rank is None else f"{layer.rank:.1f} of {layer.most}", number=True),
            cell(percent(filters.sparsity) if filters else "", number=True),
            cell(f"{filters.entropy:.2f} ({filters.random:.2f})" if filters else "", number=True),
            cell(f'<span class="bad">{verdict}</span>' if verdict == "yes" else verdict),
        ]
    )
