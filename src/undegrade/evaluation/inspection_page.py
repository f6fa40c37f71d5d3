"""A page of what was found in a model; it needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from undegrade.atomic import written_whole
from undegrade.evaluation.filters import LOW_DIVERSITY, MAX_ENTROPY, NUM_JUDGED, SPARSE
from undegrade.evaluation.inspection import ENERGY, REPEATS, Inspection

SLOWEST = 20  # layers that are drawn
WIDTH, LABEL, ROW = 900, 330, 20  # of a chart, of its labels, and of the height of a bar, in its units
STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #222; --faint: #666; --line: #ddd; --bar: #2a6fb0;
  --alarm: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --ground: #171717; --ink: #ddd; --faint: #999; --line: #383838;
  --bar: #6ab0f0; --alarm: #fb923c; } }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.45 system-ui, sans-serif; }
h1, h2 { line-height: 1.2; break-after: avoid; } h2 { margin-top: 2.5rem; } h2 + p { break-after: avoid; }
p { max-width: 46rem; } .faint { color: var(--faint); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem; margin: 1.5rem 0; }
dl div { border-top: 2px solid var(--line); padding-top: .4rem; }
dt { color: var(--faint); font-size: .85rem; } dd { margin: 0; font-size: 1.3rem; }
svg { display: block; width: 100%; min-width: 40rem; height: auto; margin-bottom: 1rem;
  font: 12px system-ui, sans-serif; break-inside: avoid; }
svg text { fill: var(--ink); } .bar { fill: var(--bar); } .alarm { fill: var(--alarm); }
.axis { stroke: var(--line); } .mark { stroke: var(--ink); stroke-width: 2; }
.curve { fill: none; stroke: var(--bar); stroke-width: 2; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { text-align: right; padding: .15rem .5rem; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; overflow-wrap: anywhere; }
tr { break-inside: avoid; }
@media print { :root { --ground: #fff; --ink: #000; --faint: #444; --line: #bbb; --bar: #2a6fb0; --alarm: #c2410c; }
  body { max-width: none; padding: 0; font-size: 10pt; } .wide { overflow: visible; } }
"""
METHOD = f"""
<p>Multiply-adds are those of convolutions and matrix products, as PyTorch counts them; norms, gates and resizing are
not counted. Times are medians of {REPEATS} passes of PyTorch on the CPU in float32, of a layer without what lies
inside it; an exported model has other times. Heads that a pass does not ask have no time.</p>
<p>Entropy of a layer's 3 x 3 filters: H = -sum p<sub>i</sub> log10 p<sub>i</sub>, p<sub>i</sub> the variance share of
their principal axis i (CNN Filter DB, CVPR 2022). Random: H is at least what random numbers have, 1.26 / (1 +
exp(-0.89 (log2 n - 2.30))) - 0.31 for n filters. Low diversity: H is below {LOW_DIVERSITY}. Layers of fewer than
{NUM_JUDGED} filters are not judged. Sparse: no coefficient of the filter is above {SPARSE:.0%} of the layer's
largest. Degenerate are the sparse filters, and all of a random layer or one of low diversity.</p>
<p>Effective rank: exp of the entropy of the singular values over their sum (Roy and Vetterli, 2007). The receptive
field is that of what the model adds to the middle pixel, by squared gradients on a made picture with the spectrum of
photographs.</p>
"""


def write_page(found: Inspection, path: Path) -> None:
    """Write the page.

    Args:
        found: what it shows.
        path: replaced when the page is complete.

    Raises:
        UndegradeError: the file cannot be written.
    """
    with written_whole(path) as partial:
        partial.write_text(page(found), encoding="utf-8")


def page(found: Inspection) -> str:
    """The page as HTML: figures, charts as SVG, and all layers in a table."""
    facts = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in summary(found))
    title = f"{escape(found.model)}, inspected"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<p class="faint">{escape(found.network)}, on a picture of {found.side} x {found.side} pixels</p>
<dl>{facts}</dl>
{_time(found)}
{_field(found)}
{_filters(found)}
{_ranks(found)}
<h2>All layers</h2>
{_layers(found)}
<h2>How it was measured</h2>
{METHOD}
</body>
</html>
"""


def summary(found: Inspection) -> list[tuple[str, str]]:
    """The figures that say most, each with its name."""
    degenerate = f"{found.degenerate_share:.1%} of {found.num_filters}" if found.num_filters else "no 3 x 3 filters"
    return [
        ("parameters", f"{found.parameters / 1e6:.2f} M"),
        (f"multiply-adds at {found.side} x {found.side}", f"{found.macs / 1e9:.2f} G"),
        ("time, PyTorch on the CPU", f"{found.seconds * 1000:.0f} ms, {_threads(found.threads)}"),
        ("receptive field", found.field),
        (f"{ENERGY:.0%} of the gradient's energy within", f"{found.reach.half_width} pixels"),
        ("degenerate 3 x 3 filters", degenerate),
        ("sparse 3 x 3 filters", f"{found.sparse_share:.1%}"),
        ("mean variance entropy", f"{found.mean_entropy:.3f} of {MAX_ENTROPY:.3f}"),
        ("effective rank of the weights", f"{found.rank_share:.0%} of full"),
    ]


def _threads(count: int) -> str:
    return f"{count} thread" + ("s" if count > 1 else "")


def _time(found: Inspection) -> str:
    kinds: dict[str, float] = {}
    for layer in found.layers:
        kinds[layer.kind] = kinds.get(layer.kind, 0.0) + layer.seconds
    kinds["outside of layers"] = found.elsewhere
    by_kind = sorted(((k, s) for k, s in kinds.items() if s), key=lambda pair: -pair[1])
    slowest = sorted(found.layers, key=lambda layer: -layer.seconds)[:SLOWEST]
    return (
        "<h2>Where the time goes</h2>"
        + _bars("seconds by kind of layer", [(k, s, _spent(s, found.seconds), "bar") for k, s in by_kind])
        + f"<h2>The {len(slowest)} slowest layers</h2>"
        + _bars("seconds by layer", [(x.name, x.seconds, _spent(x.seconds, found.seconds), "bar") for x in slowest])
    )


def _spent(seconds: float, total: float) -> str:
    return f"{seconds * 1000:.2f} ms, {seconds / total:.1%}"


def _field(found: Inspection) -> str:
    reach = found.reach
    return (
        f"<h2>How far it sees</h2><p>Receptive field: {escape(found.field)}. {ENERGY:.0%} of the energy of the middle "
        f"pixel's gradient lies within {reach.half_width} pixels of it, {reach.within[0]:.0%} in that pixel itself.</p>"
        + _curve(
            "share of the energy within a number of pixels", reach.within[: reach.nearly_all + 1], reach.half_width
        )
    )


def _filters(found: Inspection) -> str:
    if not found.filters:
        return ""
    bars = [
        (f.name, f.entropy, f"{f.entropy:.3f} {f.verdict}".rstrip(), "alarm" if f.verdict else "bar")
        for f in found.filters
    ]
    rows = [
        (f.name, f.verdict or "-", f"{f.num_filters}", f"{f.entropy:.3f}", f"{f.threshold:.3f}", f"{f.num_sparse}")
        for f in found.filters
    ]
    columns = ("layer", "verdict", "filters", "entropy", "random from", "sparse")
    return (
        "<h2>3 x 3 filters</h2><p>Variance entropy of each layer; the stroke is where random numbers begin.</p>"
        + _bars("variance entropy", bars, marks=[f.threshold for f in found.filters], most=MAX_ENTROPY)
        + _table(columns, rows)
    )


def _ranks(found: Inspection) -> str:
    ranks = [*found.features, *sorted(found.ranks, key=lambda r: r.rank / r.full)[:SLOWEST]]
    bars = [(r.name, r.rank / r.full, f"{r.rank:.1f} of {r.full}", "bar") for r in ranks]
    return (
        "<h2>Effective rank</h2><p>Of the decoder features, deepest first, and of the weights that use the least of "
        "what they could.</p>" + _bars("effective rank by the largest possible", bars, most=1.0)
    )


def _layers(found: Inspection) -> str:
    ranks = {r.name: f"{r.rank:.1f} / {r.full}" for r in found.ranks}
    rows = [
        (
            layer.name,
            layer.kind,
            f"{layer.parameters}",
            f"{layer.macs / 1e6:.1f}",
            f"{layer.seconds * 1000:.2f}",
            f"{layer.share:.1%}",
            ranks.get(layer.name, ""),
        )
        for layer in found.layers
    ]
    return _table(("layer", "kind", "parameters", "M multiply-adds", "ms", "share", "effective rank"), rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _bars(
    title: str, bars: Sequence[tuple[str, float, str, str]], *, marks: Sequence[float] = (), most: float = 0.0
) -> str:
    """Horizontal bars of (label, value, what is written behind, class), each with a mark if given; `most` is full."""
    room = WIDTH - LABEL - 150
    full = most or max((value for _, value, _, _ in bars), default=0.0) or 1.0
    parts = []
    for number, (label, value, text, look) in enumerate(bars):
        y, length = number * ROW, room * max(0.0, value) / full
        end = length
        parts.append(f'<text x="{LABEL - 6}" y="{y + 14}" text-anchor="end">{escape(_short(label))}</text>')
        parts.append(f'<rect class="{look}" x="{LABEL}" y="{y + 3}" width="{length:.1f}" height="{ROW - 6}"/>')
        if marks:
            x = LABEL + room * min(1.0, max(0.0, marks[number] / full))
            parts.append(f'<line class="mark" x1="{x:.1f}" y1="{y + 1}" x2="{x:.1f}" y2="{y + ROW - 1}"/>')
            end = max(length, x - LABEL)
        parts.append(f'<text x="{LABEL + end + 6:.1f}" y="{y + 14}">{escape(text)}</text>')
    return _svg(title, len(bars) * ROW, parts)


def _short(label: str, most: int = 48) -> str:
    """The end of a long name, which tells more than its beginning."""
    return label if len(label) <= most else f"...{label[3 - most :]}"


def _curve(title: str, shares: Sequence[float], marked: int) -> str:
    """Shares of 0 to 1 over 0, 1, 2, ... pixels, with a stroke at one of them."""
    left, top, width, height = 40, 10, WIDTH - 60, 180
    last = max(1, len(shares) - 1)
    places = [(left + width * n / last, top + height * (1 - share)) for n, share in enumerate(shares)]
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = top + height * (1 - share)
        parts.append(f'<line class="axis" x1="{left}" y1="{y}" x2="{left + width}" y2="{y}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    for pixels in sorted({0, last // 4, last // 2, 3 * last // 4, last}):
        x = left + width * pixels / last
        parts.append(f'<text x="{x:.1f}" y="{top + height + 18}" text-anchor="middle">{pixels}</text>')
    x = left + width * marked / last
    parts.append(f'<line class="mark" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + height}"/>')
    parts.append(f'<polyline class="curve" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>')
    return _svg(title, top + height + 26, parts)


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    text = escape(title)
    inside = "\n".join(parts)
    return f'''<div class="wide"><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{text}">
{inside}
</svg></div>'''
