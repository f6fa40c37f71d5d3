"""The documentation site: built without a warning, whole, and readable from the disk without a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import undegrade
from undegrade.degradations import DEGRADATIONS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
# What a browser loads by itself; links are only followed.
LOADED = re.compile(r"<(?:script|img|iframe)[^>]* src=\"?([^\"\s>]+)|<link[^>]* href=\"?([^\"\s>]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; --strict ends the build at the first warning, such as a link to nowhere."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_catalogue_and_the_public_names_are_shown(site: Path) -> None:
    gallery = (site / "gallery.html").read_text()
    for name in DEGRADATIONS:
        assert f'src="gallery/{name}.jpg"' in gallery
        assert (site / "gallery" / f"{name}.jpg").stat().st_size > 2000
    calls = (site / "reference" / "index.html").read_text()
    for name in set(undegrade.__all__) - {"__version__"}:
        assert re.search(rf'id="undegrade\.[a-z.]*{name}"', calls), name


def test_no_page_loads_from_another_machine(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        loaded = [script or link for script, link in LOADED.findall(page.read_text())]
        assert [address for address in loaded if address.startswith(("http:", "https:", "//"))] == [], page


def test_it_is_searched_from_the_disk(site: Path, browser: Browser, screenshots: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("/")
    page.keyboard.type("haze", delay=30)
    page.locator(".md-search-result__item").first.wait_for(timeout=60_000)
    page.screenshot(path=screenshots / "site.png")
    page.close()
    assert asked
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
