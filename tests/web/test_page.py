"""`undegrade web` in a real browser."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import numpy as np
import pytest
from PIL import Image, ImageCms

from undegrade.images import read_picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples"
SCORES = Path(__file__).parents[2] / "docs" / "scores.html"
PHONE = {"width": 390, "height": 844}
PATIENCE = 120_000  # milliseconds: the first restoration loads the model
# Everything that can be worked by hand, with the name that a screen reader says.
CONTROLS = """() => [...document.querySelectorAll('button, input, select, textarea, [role=slider]')]
    .filter(e => e.offsetParent && e.tabIndex >= 0)
    .map(e => e.getAttribute('aria-label') || (e.labels && e.labels[0] || e).innerText.trim() || e.outerHTML)"""

# Loaded by the page's own process before anything else; notes whom it calls.
WATCH = """
import os, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        with open(os.environ["WATCH_LOG"], "a") as log:
            log.write(f"{arguments!r}\\n")
sys.addaudithook(watch)
"""

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def address(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is shown, by a process of its own."""
    pytest.importorskip("gradio")
    command = [sys.executable, "-m", "undegrade", "web", "--port", "0", "--page", str(SCORES)]
    watch, log = tmp_path_factory.mktemp("watch"), tmp_path_factory.mktemp("log") / "calls"
    (watch / "sitecustomize.py").write_text(WATCH)
    environment = {
        **os.environ,
        "TMPDIR": str(photos := tmp_path_factory.mktemp("photos")),
        "PYTHONPATH": f"{watch}:{os.environ.get('PYTHONPATH', '')}",
        "WATCH_LOG": str(log),
    }
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        address = next(word for word in process.stdout.readline().split() if word.startswith("http://"))
        assert b"undegrade" in urllib.request.urlopen(address, timeout=30).read()  # it is there once it says so
        for name, value in (("Host", "evil.example"), ("Origin", "http://evil.example")):
            with pytest.raises(HTTPError, match=r"403|421"):
                urllib.request.urlopen(urllib.request.Request(address, headers={name: value}), timeout=30)
        yield address
        assert list(photos.rglob("*.png"))
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert list(photos.rglob("*.png")) == []  # nobody's photos are left behind
    calls = log.read_text().splitlines()
    assert calls  # Gradio asks its own page whether it is there
    assert [call for call in calls if "'127.0.0.1'" not in call] == []


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """Opens the page in a browser that forgets; all that it asks for must come from the page's own address."""
    asked: list[str] = []
    contexts = []

    def opened(**context: object) -> Page:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 960}, **context}))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.locator("#go").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert len(asked) > 5
    own = (f"{address}/", "data:", f"blob:{address}/", "about:srcdoc")
    assert [url for url in asked if not url.startswith(own)] == []


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """A noisy picture with EXIF and a colour profile."""
    pixels = (np.moveaxis(read_picture(EXAMPLES / "cat-noisy.png").pixels, 0, 2) * 255).round().astype(np.uint8)
    exif = Image.Exif()
    exif[0x010F] = "Maker of cameras"
    file = tmp_path / "IMG 0001.png"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pixels).save(file, exif=exif, icc_profile=profile)
    return file


def drop(page: Page, *files: Path) -> None:
    """Give the page photos and wait until they are done."""
    page.locator("#photos input[type=file]").set_input_files([str(file) for file in files])
    page.locator("#photos").get_by_text(files[-1].suffix).first.wait_for()
    page.locator("#go").click()
    page.locator("#finding p").first.wait_for()


def revealed(page: Page) -> str:
    """How much of the repaired picture is cut away, as the style sheet has it."""
    return page.locator("#pair img").last.evaluate("image => image.style.clipPath")


def wait_for_place(page: Page, holds: str) -> None:
    """Wait until this holds for both pictures, of scale, right and down (pixels): they glide to their place."""
    place = "const [right, down, scale] = image.style.transform.match(/-?[\\d.]+/g).map(Number)"
    each = "[...document.querySelectorAll('#pair img')].every"
    page.wait_for_function(f"() => {each}(image => {{ {place}; return {holds} }})", timeout=10_000)


def test_a_photo_is_judged_compared_and_downloaded(open_page: Open, noisy: Path, screenshots: Path) -> None:
    page = open_page()
    drop(page, noisy)
    assert "oise" in page.locator("#finding").inner_text()
    assert "Repaired" in page.locator("#finding").inner_text()
    assert "noise" in page.locator("#odds").inner_text().lower()
    for image in page.locator("#pair img").all():
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
    slider = page.locator("#pair [data-testid=slider]")
    before = revealed(page)
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 200, steps=4)
    page.mouse.up()
    assert revealed(page) != before
    page.screenshot(path=screenshots / "restored.png", full_page=True)
    with page.expect_download() as download:
        page.locator("#download").click()
    got = Path(download.value.path()).read_bytes()
    command = [sys.executable, "-m", "undegrade", "restore", str(noisy)]
    subprocess.run(command, check=True, capture_output=True)
    assert got == noisy.with_name("IMG 0001.restored.png").read_bytes()
    assert download.value.suggested_filename == "IMG 0001.restored.png"
    with Image.open(io.BytesIO(got)) as restored, Image.open(noisy) as original:
        assert restored.getexif()[0x010F] == "Maker of cameras"
        assert restored.info["icc_profile"] == original.info["icc_profile"]


def test_several_photos_come_back_as_one_archive(open_page: Open, noisy: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    page = open_page()
    drop(page, noisy, EXAMPLES / "cat-well.png", broken)
    page.get_by_role("button", name="Where it is").click()
    page.locator("#where img").wait_for()
    page.locator("#which input").click()
    page.get_by_role("option", name="cat-well.png").click()
    page.locator("#finding").get_by_text("Nothing").first.wait_for()
    page.locator("#where").wait_for(state="hidden")  # the map of another photo
    page.locator("#which input").click()
    page.get_by_role("option", name="broken.jpg").click()
    page.locator("#finding").get_by_text("broken.jpg").first.wait_for()
    with page.expect_download() as download:
        page.locator("#zip").click()
    with closing(zipfile.ZipFile(download.value.path())) as archive:
        assert sorted(archive.namelist()) == ["IMG 0001.restored.png", "cat-well.restored.png"]


def test_by_keys_alone_and_with_names_for_all_controls(open_page: Open) -> None:
    page = open_page()
    page.locator("#photos input[type=file]").set_input_files(str(EXAMPLES / "cat-noisy.png"))
    page.locator("#photos").get_by_text(".png").first.wait_for()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "go":
            break
    page.keyboard.press("Enter")
    page.locator("#finding p").first.wait_for()
    slider = page.get_by_role("slider", name="Where the repaired picture begins")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuenow") == "40"
    assert abs(float(revealed(page).split()[-1].rstrip("%)")) - 40) < 1
    page.keyboard.press("End")
    assert slider.get_attribute("aria-valuenow") == "100"
    for key, scale in (("+", 1.28), ("+", 1.63), ("-", 1.28)):
        page.keyboard.press(key)
        wait_for_place(page, f"Math.abs(scale - {scale}) < 0.01")
    wait_for_place(page, "down < -80 && down > -110")  # what was in the middle still is
    page.keyboard.press("Shift+ArrowDown")
    wait_for_place(page, "down < -120")
    page.keyboard.press("0")
    wait_for_place(page, "scale == 1 && right == 0 && down == 0")
    names = page.evaluate(CONTROLS)
    assert len(names) > 10
    assert [name for name in names if name.startswith("<") or "common." in name] == []
    assert page.locator("#pair img").evaluate_all("images => images.map(image => image.alt)") == ["before", "after"]


def test_on_a_phone_in_the_dark(open_page: Open, noisy: Path, screenshots: Path) -> None:
    page = open_page(viewport=PHONE, color_scheme="dark", has_touch=True, is_mobile=True)
    drop(page, noisy)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = page.locator("#pair img").first.bounding_box()
    assert box is not None
    assert 0 <= box["x"] < box["x"] + box["width"] <= PHONE["width"]
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(part) for part in colour[4:-1].split(",")[:3]) < 64, colour
    page.screenshot(path=screenshots / "phone.png", full_page=True)


def test_a_photo_is_spoiled_with_the_sliders_of_the_catalogue(open_page: Open, screenshots: Path) -> None:
    page = open_page()
    page.get_by_role("tab", name="Spoil it").click()
    page.locator("#clean input[type=file]").set_input_files(str(EXAMPLES / "cat-well.png"))
    page.locator("#clean").get_by_text(".png").first.wait_for()
    page.locator("#kind input").click()
    page.get_by_role("option", name="haze", exact=True).click()
    for field in ("density", "airlight", "relief"):
        page.locator(f'input[type=range][aria-label*="{field}"]').wait_for()
    page.locator('input[type=number][aria-label*="density"]').fill("2.5")
    page.locator("#spoil").click()
    page.locator("#said").get_by_text("PSNR").wait_for()
    assert "haze(density=2.5" in page.locator("#said").inner_text()
    page.screenshot(path=screenshots / "spoiled.png", full_page=True)


def test_a_page_of_scores_is_shown(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("tab", name="Evaluation").click()
    frame = page.frame_locator('iframe[title="scores.html"]')
    frame.get_by_text("Kodak24").first.wait_for()
