"""One page that shows what every degradation does."""

from __future__ import annotations

import base64
import html
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from undegrade.atomic import written_whole
from undegrade.degradations import COMPOUNDS, DEGRADATIONS, Degradation, replay
from undegrade.degradations.base import FAMILIES
from undegrade.degradations.chain import outline
from undegrade.errors import UndegradeError
from undegrade.evaluation.run import centre_crop
from undegrade.images import encode_jpeg
from undegrade.metrics import psnr

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
SIDE = 320  # of the shown crop, pixels
SEED = 7
QUALITY = 85  # of the shown JPEG pictures

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 110rem; padding: 0 1rem;
       color: #222; background: #fff; }
h2 { margin: 3rem 0 0; border-bottom: 1px solid #bbb; text-transform: capitalize; }
h3 { margin: 2rem 0 .3rem; font-size: 1.1rem; }
p { max-width: 60rem; margin: .3rem 0; white-space: pre-line; }
figure { display: inline-block; margin: .5rem .5rem .5rem 0; vertical-align: top; width: 20rem; }
img { display: block; width: 100%; }
figcaption { font-size: .8rem; color: #555; }
nav a { margin-right: .8rem; white-space: nowrap; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818; } figcaption { color: #aaa; }
  a { color: #8bf; } }
"""


def write_gallery(photo: NDArray[np.float32], path: Path) -> None:
    """Write an HTML page, complete in itself: each degradation at five levels with its equation, and each mixture.

    Args:
        photo: (3, H, W) in [0, 1]; its middle is shown, so it should be at least 320 pixels high and wide.
        path: ends in .html.

    Raises:
        UndegradeError: the name ends otherwise, or the file cannot be written.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UndegradeError(f"{path}: unknown ending {path.suffix!r}; expected .html")
    clean = centre_crop(photo, SIDE)
    members = {family: [k for k in DEGRADATIONS.values() if k.family == family] for family in FAMILIES}
    links = " ".join(f'<a href="#{name}">{name}</a>' for name in (*DEGRADATIONS, *COMPOUNDS))
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>undegrade: degradations</title>",
        f"<style>{STYLE}</style>",
        f"<h1>{len(DEGRADATIONS)} degradations, {len(COMPOUNDS)} mixtures</h1><nav>{links}</nav>",
        _figure(clean, "the clean photo"),
    ]
    for family, kinds in members.items():
        parts.append(f"<h2>{family}</h2>")
        parts.extend(_or_why_not(kind.label, partial(_section, kind(), clean)) for kind in kinds)
    parts.append("<h2>mixtures</h2>")
    parts.extend(_or_why_not(name, partial(_mixture, name, clean)) for name in COMPOUNDS)
    with written_whole(path) as unfinished:
        unfinished.write_text("\n".join(parts), encoding="utf-8")


def _or_why_not(name: str, section: Callable[[], str]) -> str:
    """The section, or what kept it from being made: a video codec may not be installed."""
    try:
        return section()
    except UndegradeError as error:
        return _article(name, f"Not shown. {error}", [])


def _section(degradation: Degradation, clean: NDArray[np.float32]) -> str:
    levels = LEVELS if degradation.units() else LEVELS[:1]
    figures = []
    for level in levels:
        severities = degradation.at_level(level)
        rng = torch.Generator().manual_seed(SEED)
        spoiled = degradation.degrade(torch.from_numpy(clean), rng, severities).numpy()
        shown = ", ".join(f"{name} {value:.3g}" for name, value in severities.items())
        figures.append(_figure(spoiled, f"{shown} · PSNR {psnr(spoiled, clean):.1f} dB"))
    about = inspect.getdoc(type(degradation)) or ""
    fields = "; ".join(f"{name}: {unit.text}" for name, unit in degradation.units().items())
    return _article(degradation.label, f"{about}\n\n{fields}", figures)


def _mixture(name: str, clean: NDArray[np.float32]) -> str:
    step, figures = COMPOUNDS[name], []
    for number in range(len(LEVELS)):
        records = step.plan(torch.Generator().manual_seed(number))
        spoiled = replay(torch.from_numpy(clean), records).numpy()
        done = ", ".join(record.degradation for record in records) or "nothing"
        figures.append(_figure(spoiled, f"{done} · PSNR {psnr(spoiled, clean):.1f} dB"))
    return _article(name, outline(step), figures)


def _article(name: str, text: str, figures: list[str]) -> str:
    return f'<h3 id="{name}">{name}</h3><p>{html.escape(text)}</p>{"".join(figures)}'


def _figure(pixels: NDArray[np.float32], caption: str) -> str:
    data = base64.b64encode(encode_jpeg(pixels, QUALITY, chroma=0)).decode()
    text = html.escape(caption)
    return f'<figure><img alt="{text}" src="data:image/jpeg;base64,{data}"><figcaption>{text}</figcaption></figure>'
