"""The tab that spoils a photo, with sliders made of the catalogue's fields, and restores it again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from undegrade.api import degrade_picture, load
from undegrade.degradations import DEGRADATIONS
from undegrade.degradations.base import Unit
from undegrade.errors import UndegradeError
from undegrade.images import Picture, write_picture
from undegrade.images.stream import reduced
from undegrade.inference.models import DEFAULT_MODEL
from undegrade.metrics import psnr
from undegrade.reports import told
from undegrade.web.page_work import untouched

LARGEST = 1024  # pixels, of the photo that is spoiled: enough to see it, and quick
STEPS = 200  # of a slider


def spoil_tab() -> None:
    """Draw the tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            photo = gr.File(label="A clean photo", file_count="single", elem_id="clean")
            kind = gr.Dropdown(sorted(DEGRADATIONS), value="noise", label="What to do to it", elem_id="kind")
            seed = gr.Number(0, precision=0, minimum=0, label="Seed")
            settings = gr.Column()
        with gr.Column(scale=2, min_width=300):
            said = gr.Markdown("", elem_id="said")
            spoiled = gr.ImageSlider(label="Clean | spoiled", type="filepath", max_height=480, interactive=False)
            repaired = gr.ImageSlider(
                label="Spoiled | repaired", type="filepath", max_height=480, interactive=False, elem_id="repaired"
            )

    with settings:

        @gr.render(inputs=kind)
        def sliders(name: str) -> None:
            """The fields of the degradation that is chosen."""
            degradation = DEGRADATIONS[name]()
            middle = degradation.at_level(0.5)
            fields = [_slider(one, unit, middle[one]) for one, unit in degradation.units().items()]
            go = gr.Button("Spoil and restore", variant="primary", elem_id="spoil")
            work = _worker(name, list(degradation.units()))
            go.click(work, [photo, seed, *fields], [said, spoiled, repaired], api_visibility="private")


def _slider(name: str, unit: Unit, value: float) -> gr.Slider:
    low, high = unit.limits
    step = 1 if unit.whole else (high - low) / STEPS
    return gr.Slider(
        low, high, value, step=step, interactive=True, label=f"{name.replace('_', ' ')}: {unit.text}", key=name
    )


def _worker(name: str, fields: list[str]) -> Callable[..., list[Any]]:
    """What the button does, for the values of these fields."""

    def work(file: str | None, seed: float, *values: float) -> list[Any]:
        if not file:
            raise gr.Error("Drop a clean photo first.")
        given = ", ".join(f"{field}={value:.6g}" for field, value in zip(fields, values, strict=True))
        try:
            return _spoil(Path(file), f"{name}({given})" if given else name, int(seed))
        except UndegradeError as error:
            raise gr.Error(str(error)) from None

    return work


def _spoil(file: Path, spec: str, seed: int) -> list[Any]:
    """What is said, and the two pairs of files."""
    clean = Picture(pixels=reduced(file, LARGEST))
    degraded, _ = degrade_picture(clean, [spec], seed=seed)
    restored = load(DEFAULT_MODEL).restore(degraded)
    folder = Path(tempfile.mkdtemp(prefix="undegrade-"))
    files = []
    for name, picture in (("clean", clean), ("spoiled", degraded), ("repaired", restored.picture)):
        write_picture(picture, folder / f"{name}.png")
        files.append(str(folder / f"{name}.png"))
    before, after = (psnr(one.pixels, clean.pixels) for one in (degraded, restored.picture))
    said = f"**{told(restored.treatment)}** · PSNR {before:.2f} dB spoiled, {after:.2f} dB repaired\n\n`{spec}`"
    if not restored.changed:
        said += f"\n\n{untouched(restored.treatment)}"
    return [said, (files[0], files[1]), (files[1], files[2])]
