"""The page to drop photos on: `undegrade web`. Gradio draws it, and nothing is fetched from another machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from html import escape
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from undegrade.errors import UndegradeError
from undegrade.inference.models import DEFAULT_MODEL, MODELS
from undegrade.web.guard import stranger
from undegrade.web.page_work import FORCED, Seen, Wanted, kinds_of, restore_all, show, spelt, where
from undegrade.web.settings import Settings

HOUR = 3600  # seconds after which uploads and results are removed
GONE = "Photos are removed after an hour. Drop it again."
FONTS = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
# Gradio's own page names fonts and a script of other machines; the browser is told to fetch nothing from there.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-src 'self'"
)
STYLE = """
.gradio-container { width: 100% !important; max-width: 78rem !important; margin: 0 auto !important; }
#finding { font-size: 1.1rem; }
@media (pointer: coarse) { .keys { display: none; } }
#pair .slider-wrap, #pair img { touch-action: pan-y pinch-zoom; }
[data-testid=slider]:focus-visible .icon-wrap { outline: 3px solid currentColor; outline-offset: 3px; }
"""
INTRO = (
    "# undegrade\nDrop photos: each is judged, repaired where that is seen to help, and left alone where it is well."
)
HINT = (
    "<small>Drag the line; zoom with two fingers<span class=keys>, or Ctrl and the wheel, and drag. With the line in "
    "focus, arrows move it, + and &minus; zoom, Shift and arrows move the picture, 0 shows all of it</span>.</small>"
)


class Local:
    """Refuses pages of other sites, and adds to every answer that the page may load nothing from elsewhere.

    Args:
        app: what answers.
        names: as for `stranger`.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and (refusal := stranger(Headers(scope=scope), self.names)):
            await PlainTextResponse("refused: open the page under its own address", refusal[0])(scope, receive, send)
            return

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
    with gr.Blocks(title="undegrade", analytics_enabled=False) as page:
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
            kinds = [(spelt(kind), kind) for kind in kinds_of(DEFAULT_MODEL)]
            with gr.Accordion("More", open=False):
                model = gr.Dropdown(list(MODELS), value=DEFAULT_MODEL, label="Model")
                only = gr.Dropdown(kinds, multiselect=True, label="Repair only")
                skip = gr.Dropdown(kinds, multiselect=True, label="Do not repair")
                local = gr.Checkbox(label="Only where something is wrong")
                force = gr.Checkbox(label=FORCED)
        with gr.Column(scale=2, min_width=300):
            which = gr.Dropdown([], label="Photo", visible=False, elem_id="which")
            finding = gr.Markdown("", elem_id="finding")
            pair = gr.ImageSlider(
                label="Before | after",
                elem_id="pair",
                type="filepath",
                max_height=720,
                buttons=["fullscreen"],
                interactive=False,
            )
            hint = gr.HTML(HINT, visible=False, padding=False)
            with gr.Row():
                one = gr.DownloadButton("Download", visible=False, elem_id="download")
                every = gr.DownloadButton("Download all (ZIP)", visible=False, elem_id="zip")
            odds = gr.Label(label="How likely each is", num_top_classes=6, show_heading=False, elem_id="odds")
            with gr.Accordion("Where it is", open=False) as places:
                there = gr.Image(label="Where", interactive=False, elem_id="where", buttons=["fullscreen", "download"])
                legend = gr.Markdown("")
    shown = [finding, pair, hint, one, odds, places, there, legend]
    wanted = [model, strength, only, skip, local, force]
    go.click(
        _on_restore, [files, *wanted], [seen, which, every, *shown], show_progress_on=pair, api_visibility="private"
    )
    which.input(_on_choice, [seen, which], shown, show_progress_on=pair, api_visibility="private")
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
    one = next(one for one in seen if one.name == name)
    if not Path(one.source).exists():
        raise gr.Error(GONE)
    return _shown(one)


def _shown(one: Seen) -> list[Any]:
    """What is shown of a photo; the map of the one before is put away."""
    download = gr.DownloadButton(value=one.result or None, visible=bool(one.result))
    odds = {spelt(kind): odds for kind, odds in one.odds.items()}
    hint = gr.HTML(visible=one.pair is not None, padding=False)
    return [show(one), one.pair, hint, download, odds or None, gr.Accordion(open=False), None, ""]


def _on_where(seen: list[Seen], name: str, model: str) -> tuple[Any, str]:
    if not seen:
        return None, "Restore a photo first."
    one = next((one for one in seen if one.name == name), seen[0])
    try:
        drawn, colours = where(one, model)
    except UndegradeError as error:
        raise gr.Error(str(error)) from None
    kinds = [f'<span style="color:{colour}">■</span> {spelt(kind)}' for kind, colour in colours.items()]
    return drawn, ", ".join(kinds) or "Nothing likely."


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


def launch(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    pages: Sequence[Path] = (),
    browser: bool = False,
    on_ready: Callable[[str], None] = print,
) -> None:
    """Show the page until Ctrl-C or SIGTERM; what was dropped on it and made of it goes with it.

    Args:
        host: address to listen on.
        port: to listen on.
        pages: as for `make_page`.
        browser: open it in one.
        on_ready: told the address once the page is shown.

    Raises:
        UndegradeError: a page cannot be read, or the port is taken.
    """
    for page in pages:
        if not page.is_file():
            raise UndegradeError(f"{page}: no such page; give a file that undegrade evaluate --html wrote")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="undegrade-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder, "gradio"))
        tempfile.tempdir = folder
        threading.Thread(target=_sweep, args=(Path(folder),), daemon=True).start()
        try:
            shown = _launch(make_page(pages), host, port, browser)
        except OSError as error:
            raise UndegradeError(f"--port {port}: {error}; choose another") from None
        on_ready(f"http://{host}:{port}")
        try:
            threading.Event().wait()
        finally:
            shown.close(verbose=False)


def _launch(page: gr.Blocks, host: str, port: int, browser: bool) -> gr.Blocks:
    page.queue(default_concurrency_limit=1, max_size=32).launch(
        server_name=host,
        server_port=port,
        inbrowser=browser,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        footer_links=[],
        css=STYLE,
        head=f"<script>{resources.files('undegrade.web').joinpath('page.js').read_text('utf-8')}</script>",
        theme=gr.themes.Default(**FONTS),
        app_kwargs={"middleware": [Middleware(Local, names=Settings(host=host).names)]},
        max_file_size="1gb",
        ssr_mode=False,
        enable_monitoring=False,
    )
    return page


def _sweep(folder: Path) -> None:
    """Remove what has lain in the folder for an hour, as long as the process lives."""
    while True:
        time.sleep(HOUR / 12)
        for place in (*folder.glob("undegrade-*"), *folder.glob("gradio/*")):
            with suppress(OSError):
                if place.stat().st_mtime < time.time() - HOUR:
                    shutil.rmtree(place)
