"""A page that shows pictures before and after, with a slider; it needs nothing but itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undegrade.atomic import written_whole

QUALITY = 90  # of the JPEG pictures inside
PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>undegrade: before and after</title>
<style>
:root {{ color-scheme: light dark; --ground: #eee; --ink: #222; --line: #fff; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ground: #222; --ink: #ddd; }} }}
body {{ margin: 0 auto; padding: 1rem; max-width: 70rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.4 system-ui, sans-serif; }}
figure {{ margin: 0 0 2rem; --at: 50%; }}
figcaption {{ padding: 0 0 .4rem; }}
.pair {{ position: relative; display: block; width: fit-content; max-width: 100%; }}
.pair img {{ display: block; max-width: 100%; max-height: 85vh; }}
.pair img + img {{ position: absolute; inset: 0; width: 100%; height: 100%; clip-path: inset(0 0 0 var(--at)); }}
.pair::after {{ content: ""; position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px; margin-left: -1px;
  background: var(--line); box-shadow: 0 0 3px #000; pointer-events: none; }}
input {{ position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; }}
input:focus-visible {{ opacity: .4; }}
</style>
<h1>Before and after</h1>
{figures}
<script>
for (const slider of document.querySelectorAll("input"))
  slider.addEventListener("input", () => slider.closest("figure").style.setProperty("--at", slider.value + "%"));
</script>
</html>
"""
FIGURE = """<figure>
<figcaption><b>{name}</b>: {what}</figcaption>
<div class="pair">
<img src="{before}" width="{width}" height="{height}" alt="{name} before">
<img src="{after}" alt="{name} after">
<input type="range" min="0" max="100" step="0.1" value="50" aria-label="{name}: share of the picture before">
</div>
</figure>"""

Shown = tuple[str, str, NDArray[np.float32], NDArray[np.float32]]


def write_preview(shown: Sequence[Shown], path: Path) -> None:
    """Write the page.

    Args:
        shown: (name, what was done and found, before, after); pixels (3, H, W) in [0, 1], sRGB, both of one size.
        path: of the page.

    Raises:
        UndegradeError: it cannot be written.
    """
    figures = "\n".join(_figure(*entry) for entry in shown)
    with written_whole(path) as partial:
        partial.write_text(PAGE.format(figures=figures), encoding="utf-8")


def _figure(name: str, what: str, before: NDArray[np.float32], after: NDArray[np.float32]) -> str:
    from undegrade.images import encode_jpeg

    sources = (encode_jpeg(pixels, QUALITY, chroma=0) for pixels in (before, after))
    one, other = ("data:image/jpeg;base64," + base64.b64encode(data).decode() for data in sources)
    height, width = before.shape[1:]
    name, what = (escape(text.encode(errors="surrogateescape").decode(errors="replace")) for text in (name, what))
    return FIGURE.format(name=name, what=what, before=one, after=other, width=width, height=height)
