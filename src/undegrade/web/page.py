"""The page to drop photos on: `undegrade web`. Gradio draws it, and nothing is fetched from another machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from html import escape
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from undegrade.errors import UndegradeError
from undegrade.inference.models import DEFAULT_MODEL, MODELS
from undegrade.web.page_work import Seen, Wanted, kinds_of, restore_all, show, where

HOUR = 3600  # seconds after which uploads and results are removed
FONTS = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
# Gradio's own page names fonts and a script of other machines; the browser is told to fetch nothing from there.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-src 'self'"
)
STYLE = """
.gradio-container { max-width: 78rem !important; margin: 0 auto !important; }
#finding { font-size: 1.1rem; }
#pair .slider-wrap, #pair img { touch-action: pan-y pinch-zoom; }
[data-testid=slider]:focus-visible .icon-wrap { outline: 3px solid currentColor; outline-offset: 3px; }
"""
INTRO = (
    "# undegrade\nDrop photos: each is judged, repaired where that is seen to help, and left alone where it is well."
)


class Local:
    """Adds to every answer that the page may load nothing from elsewhere.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def stricter(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        await self.app(scope, receive, stricter)


def make_page(pages: Sequence[Path] = ()) -> gr.Blocks:
    """The page.

    Args:
        pages: of `undegrade evaluate --html`, shown in a tab of their own.
    """
    with gr.Blocks(title="undegrade", analytics_enabled=False, delete_cache=(HOUR, HOUR)) as page:
        gr.Markdown(INTRO)
        with gr.Tab("Restore"):
            _restore_tab()
        with gr.Tab("Spoil it"):
            if find_spec("torch") is None:
                gr.Markdown("Spoiling needs PyTorch: `pip install 'undegrade[train]'`.")
            else:
                from undegrade.web.page_spoil import spoil_tab

                spoil_tab()
        with gr.Tab("Evaluation"):
            _evaluation_tab(pages)
    return page


def _restore_tab() -> None:
    seen = gr.State([])
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            files = gr.File(label="Photos", file_count="multiple", elem_id="photos")
            go = gr.Button("Restore", variant="primary", elem_id="go")
            strength = gr.Slider(0, 1, 1, step=0.05, label="Strength: how far from the original to the repaired one")
            kinds = kinds_of(DEFAULT_MODEL)
            with gr.Accordion("More", open=False):
                model = gr.Dropdown(list(MODELS), value=DEFAULT_MODEL, label="Model")
                only = gr.Dropdown(kinds, multiselect=True, label="Repair only")
                skip = gr.Dropdown(kinds, multiselect=True, label="Do not repair")
                local = gr.Checkbox(label="Only where something is wrong")
                force = gr.Checkbox(label="Repair what is likeliest, unchecked")
        with gr.Column(scale=2, min_width=300):
            which = gr.Dropdown([], label="Photo", visible=False, elem_id="which")
            finding = gr.Markdown("", elem_id="finding")
            pair = gr.ImageSlider(
                label="Before | after", elem_id="pair", type="filepath", max_height=720, buttons=["fullscreen"]
            )
            with gr.Row():
                one = gr.DownloadButton("Download", visible=False, elem_id="download")
                every = gr.DownloadButton("Download all (ZIP)", visible=False, elem_id="zip")
            odds = gr.Label(label="Probabilities", num_top_classes=6, show_heading=False, elem_id="odds")
            with gr.Accordion("Where it is", open=False) as places:
                there = gr.Image(label="Where", interactive=False, elem_id="where", buttons=["fullscreen", "download"])
                legend = gr.Markdown("")
    shown = [finding, pair, one, odds]
    wanted = [model, strength, only, skip, local, force]
    go.click(
        _on_restore, [files, *wanted], [seen, which, every, *shown], show_progress="full", api_visibility="private"
    )
    which.input(_on_choice, [seen, which], shown, api_visibility="private")
    places.expand(_on_where, [seen, which, model], [there, legend], api_visibility="private")


def _on_restore(
    files: list[str] | None,
    model: str,
    strength: float,
    only: list[str],
    skip: list[str],
    local: bool,
    force: bool,
    progress: Any = gr.Progress(),  # noqa: B008  as Gradio finds it
) -> list[Any]:
    if not files:
        raise gr.Error("Drop one or more photos first.")
    wanted = Wanted(
        model=model, strength=strength, only=tuple(only or ()), skip=tuple(skip or ()), local=local, force=force
    )
    try:
        results, archive = restore_all([Path(file) for file in files], wanted, progress)
    except UndegradeError as error:
        raise gr.Error(str(error)) from None
    names = [result.name for result in results]
    chosen = gr.Dropdown(names, value=names[0], visible=len(names) > 1)
    several = gr.DownloadButton(value=archive, visible=archive is not None and len(names) > 1)
    return [results, chosen, several, *_shown(results[0])]


def _on_choice(seen: list[Seen], name: str) -> list[Any]:
    return _shown(next(one for one in seen if one.name == name))


def _shown(one: Seen) -> list[Any]:
    download = gr.DownloadButton(value=one.result or None, visible=bool(one.result))
    return [show(one), one.pair, download, one.odds or None]


def _on_where(seen: list[Seen], name: str, model: str) -> tuple[Any, str]:
    if not seen:
        return None, "Restore a photo first."
    one = next((one for one in seen if one.name == name), seen[0])
    try:
        drawn, colours = where(one, model)
    except UndegradeError as error:
        raise gr.Error(str(error)) from None
    return drawn, ", ".join(f'<span style="color:{c}">■</span> {k}' for k, c in colours.items()) or "Nothing likely."


def _evaluation_tab(pages: Sequence[Path]) -> None:
    if not pages:
        gr.Markdown(
            "Pages that `undegrade evaluate --html page.html` wrote are shown here: `undegrade web --page page.html`."
        )
    for page in pages:
        with gr.Accordion(page.name, open=len(pages) == 1):
            text = escape(page.read_text("utf-8"), quote=True)
            frame = f'<iframe title="{escape(page.name)}" sandbox="allow-scripts" srcdoc="{text}"'
            gr.HTML(f'{frame} style="width:100%;height:80vh;border:0;background:white"></iframe>')


def free_port(host: str) -> int:
    """A port of this address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def launch(*, host: str = "127.0.0.1", port: int = 7860, pages: Sequence[Path] = (), browser: bool = False) -> None:
    """Show the page until Ctrl-C.

    Args:
        host: address to listen on.
        port: to listen on.
        pages: as for `make_page`.
        browser: open it in one.

    Raises:
        UndegradeError: a page cannot be read, or the port is taken.
    """
    for page in pages:
        if not page.is_file():
            raise UndegradeError(f"{page}: no such page; give a file that undegrade evaluate --html wrote")
    try:
        make_page(pages).queue(default_concurrency_limit=1, max_size=32).launch(
            server_name=host,
            server_port=port,
            inbrowser=browser,
            quiet=True,
            share=False,
            footer_links=[],
            css=STYLE,
            head=f"<script>{resources.files('undegrade.web').joinpath('page.js').read_text('utf-8')}</script>",
            theme=gr.themes.Default(**FONTS),
            app_kwargs={"middleware": [Middleware(Local)]},
            max_file_size="1gb",
            ssr_mode=False,
            enable_monitoring=False,
        )
    except OSError as error:
        raise UndegradeError(f"--port {port}: {error}; choose another") from None
