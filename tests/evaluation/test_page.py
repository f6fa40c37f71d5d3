"""The evaluation page: what stands on it, where, and that a real browser shows it."""

import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.batch import CLEAN
from undegrade.errors import UndegradeError
from undegrade.evaluation import page_gallery
from undegrade.evaluation.page import verdict, write_page
from undegrade.evaluation.page_changes import changes, examples
from undegrade.evaluation.page_gallery import encoded
from undegrade.evaluation.report import Circumstances, Run
from undegrade.evaluation.rulers import find_ruler
from undegrade.evaluation.run import INPUT, OUTPUTS, Plan, Restore, Score, make
from undegrade.evaluation.sets import open_pictures
from undegrade.evaluation.suite import Suite, tasks_of
from undegrade.evaluation.work import Work
from undegrade.images import Picture, write_picture

Pixels = NDArray[np.float32]

NASTY = '<script>alert("x")</script> & co'
HALF, WORSE = "half", "/models/worse.safetensors"
STEPS = ("noise", "haze", "jpeg", "mosaic")
METRICS = ("psnr", "ssim")
VOID = {"meta", "link", "img", "input", "br", "path", "circle", "rect"}
ABOUT = Circumstances(
    command='undegrade evaluate --suite "mine" --html page.html',
    date="2026-01-02 03:04 UTC",
    machine={"processor": "A Processor", "cores": 2, "system": "Linux", "python": "3.11"},
    versions={"undegrade": "0.1.0", "numpy": "2.0"},
    weights={HALF: "0123456789abcdef"},
)


def restorers(answers: dict[bytes, Pixels]) -> dict[str, Restore]:
    """A model that goes half of the way, one that goes astray, and one of a nasty name that goes too far."""

    def towards(share: float) -> Restore:
        return lambda degraded, kind: (degraded + share * (answers[degraded.tobytes()] - degraded), "noise")

    return {
        HALF: towards(0.5),
        WORSE: lambda degraded, kind: (np.float32(degraded * 0.8), None),
        NASTY: towards(0.9),
    }


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("clean")
    for seed in range(7):
        coarse = np.random.default_rng(seed).random((3, 8, 8)).astype(np.float32)
        picture = np.float32(0.1 + 0.8 * coarse.repeat(5, 1).repeat(5, 2))
        write_picture(Picture(pixels=np.round(picture * 255) / 255), folder / f"picture{seed}.png")
    suite = Suite(name="mine", steps=STEPS, crop=32)
    tasks = tuple(tasks_of(suite, open_pictures(folder, None)[0]))
    return Work(suite="mine", data="clean", folder=folder, layout=None, crop=32, tasks=tasks, problems=())


@pytest.fixture(scope="module")
def models(work: Work) -> dict[str, Restore]:
    plan = Plan(data=work.folder, layout=None, ruler=find_ruler("undegrade"))
    made = [make(plan, task) for task in work.tasks]
    return restorers({degraded.tobytes(): clean for degraded, clean in made})


def run_of(work: Work, models: dict[str, Restore], *, broken: bool = False, problems: tuple[str, ...] = ()) -> Run:
    """The true scores; of the model with the nasty name one is missing, if anything is broken."""
    ruler = find_ruler("undegrade")
    plan, scores = Plan(data=work.folder, layout=None, ruler=ruler), []
    for model in (INPUT, *models):
        for number, task in enumerate(work.tasks):
            facts = {"model": model, "row": task.row, "picture": task.picture, "kind": task.kind, "level": task.level}
            if broken and model == NASTY and number == 2:
                scores.append(Score(**facts, error="no memory for <b>this</b>"))
                continue
            degraded, clean = make(plan, task)
            restored, named = (degraded, None) if model == INPUT else models[model](degraded, task.kind)
            values = ruler.measure(restored, clean, METRICS)
            scores.append(Score(**facts, named=named, seconds=0.25, values=values))
    return Run(
        suite="mine", data="clean", crop=32, ruler=ruler, metrics=METRICS, scores=tuple(scores), problems=problems
    )


@pytest.fixture(scope="module")
def run(work: Work, models: dict[str, Restore]) -> Run:
    return run_of(work, models)


@pytest.fixture(scope="module")
def text(run: Run, work: Work, models: dict[str, Restore], tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(run, work, models.__getitem__, tmp_path_factory.mktemp("page"))


def written(run: Run, work: Work, open_model: Callable[[str], Restore], folder: Path) -> str:
    path = folder / "new" / "page.html"
    write_page([run], ABOUT, work, path, open_model)
    assert list(path.parent.iterdir()) == [path]
    return path.read_text(encoding="utf-8")


class Reader(HTMLParser):
    """What stands in a page: tags that match, tables with their text, identifiers, links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            return
        self.words.append(data)
        if "table" in self.open:
            self.tables[-1] += data + " "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_every_tag_is_closed_and_everything_has_a_name_for_those_who_do_not_see(text: str) -> None:
    page = Reader(text)
    assert page.open == []
    assert page.all("html") == [{"lang": "en"}]
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    assert {link["href"] for link in page.all("a")} <= {f"#{name}" for name in identifiers}
    assert all(picture["alt"] for picture in page.all("img"))
    assert all(slider["aria-label"] and slider["type"] == "range" for slider in page.all("input"))
    assert all(chart.get("aria-label") or chart.get("aria-hidden") for chart in page.all("svg"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_each_table_of_numbers_and_each_chart_names_the_ruler(text: str) -> None:
    page = Reader(text)
    numbers = [table for table in page.tables if re.search(r"\d\.\d\d", table)]
    assert len(numbers) >= 4
    for table in numbers:
        assert "(undegrade)" in table
    for caption in re.findall("<figcaption>.*?</figcaption>", text):
        assert "(undegrade)" in caption
    cards = text.split('<div class="card">')[1:]
    assert len(cards) == 27
    assert all("(undegrade)" in card for card in cards)


def test_names_are_escaped(text: str) -> None:
    assert NASTY not in text
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; co" in text
    assert len(Reader(text).all("script")) == 1


def test_nothing_is_fetched(text: str) -> None:
    plain = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"https?:|//|@import|url\(", plain)
    for tag, attributes in Reader(text).tags:
        for name in ("src", "href", "srcset", "action", "data"):
            assert (attributes.get(name) or "#")[:5] in ("#", "data:") or (attributes[name] or "").startswith("#"), tag


def test_the_same_runs_give_the_same_bytes(
    text: str, run: Run, work: Work, models: dict[str, Restore], tmp_path: Path
) -> None:
    assert written(run, work, models.__getitem__, tmp_path) == text


def test_all_that_is_needed_to_check_it_stands_there(text: str) -> None:
    words = " ".join(Reader(text).words)
    for part in (ABOUT.command, ABOUT.date, "A Processor", "numpy", "0123456789abcdef", find_ruler("undegrade").says):
        assert part in words
    assert "95 % interval" in words
    assert "INCOMPLETE" not in words


def test_failures_come_first(work: Work, models: dict[str, Restore], tmp_path: Path) -> None:
    run = run_of(work, models, broken=True, problems=("a/<b>.png: cannot be read",))
    text = written(run, work, models.__getitem__, tmp_path)
    order = [
        "cannot be read",
        ">Failures first<",
        "no memory for",
        "degraded pictures worse",
        "<h3>Results<",
        ">Which model is better<",
        "<h3>Charts<",
        "<h3>Pictures<",
        "<h2>How it was made<",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_what_is_incomplete_says_so_with_names_and_counts(
    work: Work, models: dict[str, Restore], tmp_path: Path
) -> None:
    run = run_of(work, models, broken=True, problems=("a/<b>.png: cannot be read",))
    text = written(run, work, models.__getitem__, tmp_path)
    page = Reader(text)
    words = " ".join(page.words)
    assert "<title>INCOMPLETE: mine on clean" in text
    assert "1 thing is wrong with the set and 1 restoration could not be measured" in words
    assert "a/<b>.png: cannot be read" in words
    assert "no memory for <b>this</b>" in page.tables[0]
    assert "6 of 7" in words
    assert any("co INCOMPLETE" in " ".join(table.split()) for table in page.tables)
    assert "1 of 35 failed" in words


def test_several_rulers_have_a_section_each(run: Run, work: Work, models: dict[str, Restore], tmp_path: Path) -> None:
    other = run_of(work, models, problems=("half of it is missing",))
    write_page([run, other], ABOUT, work, tmp_path / "page.html", models.__getitem__)
    text = (tmp_path / "page.html").read_text()
    assert text.count("<section id=") == 3
    assert "1 of 2 rulers" in text
    assert text.count('<div class="card">') == 2 * 3 * 3  # fewer of each, and the page stays small


def test_the_verdict_is_one_sentence_that_keeps_its_doubt(run: Run) -> None:
    better, worse = verdict(run, HALF), verdict(run, WORSE)
    assert "makes pictures better" in better
    assert "no restoration is worse than what was given" in better
    assert "named rightly" in better
    assert "7 of 7 clean pictures changed" in worse
    few = Run(**{**vars(run), "scores": tuple(s for s in run.scores if s.picture in ("picture0", "picture1"))})
    assert "was given too few pictures to be sure" in verdict(few, HALF)
    none = Run(**{**vars(run), "scores": tuple(s for s in run.scores if s.row == CLEAN)})
    assert "restored no degraded picture" in verdict(none, HALF)


def test_examples_are_the_worst_the_middle_and_the_best_and_none_twice(run: Run) -> None:
    found = changes(run, HALF)
    assert all(change.score.row != CLEAN for change in found)
    gains = [change.gain for change in found]
    assert gains == sorted(gains)
    chosen = examples(found, 3)
    assert [change.gain for change in chosen.worst] == gains[:3]
    assert [change.gain for change in chosen.best] == gains[:-4:-1]
    assert [change.gain for change in chosen.middle] == gains[12:15]
    for count in range(10):
        few = examples(found[:count], 3)
        keys = [change.score.key for change in (*few.worst, *few.middle, *few.best)]
        assert sorted(keys) == sorted(change.score.key for change in found[:count])


def test_severity_curves_where_there_are_several_levels(work: Work, models: dict[str, Restore], tmp_path: Path) -> None:
    suite = Suite(name="mine", steps=("noise",), levels=(0.2, 0.8), crop=32, clean=False)
    levels = Work(**{**vars(work), "tasks": tuple(tasks_of(suite, open_pictures(work.folder, None)[0]))})
    half = {HALF: lambda degraded, kind: (np.float32(0.5 + 0.5 * (degraded - 0.5)), None)}
    text = written(run_of(levels, half), levels, half.__getitem__, tmp_path)
    assert text.count("at 2 severities") == 2  # its label and its title
    assert "Radar" not in text


def test_what_cannot_be_shown_or_is_another_picture_now_is_said(run: Run, work: Work, tmp_path: Path) -> None:
    def refuse(name: str) -> Restore:
        if name == HALF:
            raise UndegradeError("the model is <gone>")
        return lambda degraded, kind: (degraded, None)

    text = written(run, work, refuse, tmp_path)
    assert "Not shown. the model is &lt;gone&gt;" in text
    assert "Made again for this page it has" in text
    other = written(run, Work(**{**vars(work), "tasks": ()}), refuse, tmp_path)
    assert "not among the pictures of mine any more" in other


def test_pictures_of_another_program_are_read(run: Run, work: Work, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    plan = Plan(data=work.folder, layout=None, ruler=run.ruler)
    for task in work.tasks:
        path = folder / task.row / f"{task.picture}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(Picture(pixels=make(plan, task)[1]), path)
    theirs = {f"{OUTPUTS}{folder}": lambda degraded, kind: (degraded, None)}
    run = run_of(work, theirs)
    text = written(run, work, {}.__getitem__, tmp_path)
    assert text.count("Made again for this page it has 100.00 dB") == 9


def test_another_ending_is_refused(run: Run, work: Work, tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match=r"page.png: unknown ending '.png'; expected .html"):
        write_page([run], ABOUT, work, tmp_path / "page.png", {}.__getitem__)


def test_three_models_of_the_hardest_pictures_stay_under_six_megabytes() -> None:
    noise = np.random.default_rng(0).random((3, page_gallery.SIDE, page_gallery.SIDE), np.float32)
    of_one = len(encoded(noise)) * 4 / 3
    cards = 3 * 3 * page_gallery.examples_for(1, 3)
    assert cards == 27
    assert cards * 4 * of_one < 6e6


# In a real browser.

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
WIDTHS = (360, 1280)
FRAMES = """<!doctype html><body style="margin:0"><script>
const says = [];
const widths = {widths};
onmessage = e => {{ says.push(e.data); if (says.length === widths.length) document.title = says.sort().join(" "); }};
for (const width of widths) {{
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${{width}}px;height:900px;border:0;display:block`;
  frame.src = "page.html";
  document.body.append(frame);
}}
</script>"""
# Within the page: how wide its frame and its content are.
PROBE = """<script>addEventListener("load", () => {
const slider = document.querySelector(".pair input");
slider.value = 20; slider.dispatchEvent(new Event("input"));
const cut = getComputedStyle(slider.parentElement).getPropertyValue("--cut");
parent.postMessage(`${innerWidth}:${document.documentElement.scrollWidth}:${cut}`, "*"); });</script></body>"""


def browse(folder: Path, *options: str) -> str:
    assert BROWSER
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    command += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=5000", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on this machine to show the page in")
def test_a_browser_shows_it_without_overflow_at_the_width_of_a_phone_and_of_a_desk(text: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(text.replace("</body>", PROBE))
    (tmp_path / "frames.html").write_text(FRAMES.format(widths=list(WIDTHS)))
    size = f"--window-size={max(WIDTHS)},1900"
    shown = browse(tmp_path, size, "--dump-dom", (tmp_path / "frames.html").as_uri())
    found = re.search("<title>(.*?)</title>", shown)
    assert found
    assert sorted(found[1].split()) == sorted(f"{width}:{width}:20%" for width in WIDTHS)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on this machine to show the page in")
@pytest.mark.parametrize("width", WIDTHS)
def test_a_browser_draws_it(text: str, tmp_path: Path, width: int) -> None:
    from PIL import Image

    (tmp_path / "page.html").write_text(text)
    picture = tmp_path / "page.png"
    browse(tmp_path, f"--window-size={width},1600", f"--screenshot={picture}", (tmp_path / "page.html").as_uri())
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    bands = np.array_split(pixels, 8)
    assert len(bands) == 8
    assert all(band.std() > 3 for band in bands)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
