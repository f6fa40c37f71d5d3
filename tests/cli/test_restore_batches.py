"""Many pictures at once: folders, patterns, journals, what may be replaced, and how far to go."""

import html.parser
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from undegrade.cli import main
from undegrade.images import Picture, read_picture, write_picture
from undegrade.inference.jobs import Job
from undegrade.inference.journal import NAME, PARTS, open_journals

Scene = Callable[[int, int], NDArray[np.float32]]
Capture = pytest.CaptureFixture[str]
Run = Callable[..., int]


@pytest.fixture
def album(tmp_path: Path, scene: Scene) -> Path:
    """Five pictures, two of them in folders inside."""
    folder = tmp_path / "album"
    for number, name in enumerate(("a.png", "b.jpg", "c.tif", "1999/a.png", "1999/june/d.png")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(Picture(pixels=scene(20 + number, 30)), path)
    return folder


@pytest.fixture
def flat(tmp_path: Path, scene: Scene) -> Path:
    """Two pictures in a folder."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for number, name in enumerate(("a.png", "b.png")):
        write_picture(Picture(pixels=scene(20 + number, 30)), folder / name)
    return folder


@pytest.fixture
def run(model: Path) -> Run:
    return lambda *arguments: main(["restore", *map(str, arguments), "--model", str(model)])


def below(folder: Path) -> list[str]:
    """The visible files in it and in its visible folders."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not name.startswith(".") and "/." not in name)


def test_folders_in_folders_are_mirrored(run: Run, album: Path, tmp_path: Path) -> None:
    assert run(album, "-o", tmp_path / "flat") == 0
    assert below(tmp_path / "flat") == ["a.png", "b.jpg", "c.tif"]
    (album / "1999" / "round").symlink_to(album)  # a link that leads back is not followed
    assert run(album, "--recursive", "-o", tmp_path / "out") == 0
    assert below(tmp_path / "out") == ["1999/a.png", "1999/june/d.png", "a.png", "b.jpg", "c.tif"]
    (album / "1999" / "round").unlink()
    assert run(album, "-r") == 0
    assert "1999/june/d.restored.png" in below(album)


def test_patterns_that_the_shell_left_are_expanded(run: Run, album: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(album / "[bc].*", "-o", tmp_path / "out") == 0
    assert below(tmp_path / "out") == ["b.jpg", "c.tif"]
    assert run(album / "*.webp", "-o", tmp_path / "none") == 1
    assert "*.webp: no such file" in capsys.readouterr().err


def test_what_exists_is_replaced_only_if_asked(run: Run, album: Path, capsys: Capture) -> None:
    source, result = album / "a.png", album / "a.restored.png"
    result.write_text("mine")
    assert run(source) == 1
    assert capsys.readouterr().err == f"error: {result}: exists already; --overwrite replaces it\n"
    assert result.read_text() == "mine"
    assert run(source, "--suffix", "better") == 0
    assert read_picture(album / "a.better.png").pixels.shape == (3, 20, 30)
    assert run(source, "--overwrite") == 0
    assert read_picture(result).pixels.shape == (3, 20, 30)
    assert run(source, "--suffix", "../x") == 2


def test_in_place_keeps_the_original(run: Run, contented_model: Path, album: Path, capsys: Capture) -> None:
    before = {name: (album / name).read_bytes() for name in ("a.png", "b.jpg", "c.tif")}
    assert run(album, "--in-place") == 0
    assert below(album) == [
        *("1999/a.png", "1999/june/d.png", "a.original.png", "a.png", "b.jpg", "b.original.jpg", "c.original.tif"),
        "c.tif",
    ]
    for name, data in before.items():
        stem, ending = name.split(".")
        assert (album / f"{stem}.original.{ending}").read_bytes() == data
        assert (album / name).read_bytes() != data
    after = {name: (album / name).read_bytes() for name in before}
    assert run(album, "--in-place") == 0  # not again: neither what is done nor the backups
    assert {name: (album / name).read_bytes() for name in before} == after
    assert "3 done before" in capsys.readouterr().err
    assert run(album / "a.png", "--in-place") == 1
    assert "a.original.png: exists already, and is never overwritten" in capsys.readouterr().err
    assert run(album, "--in-place", "-o", "x") == 2
    picture = album / "1999" / "a.png"
    assert main(["restore", str(picture), "--in-place", "--model", str(contented_model)]) == 0
    assert below(album / "1999") == ["a.png", "june/d.png"]  # nothing was wrong, so nothing was written


def test_strength_mixes_as_light_is_mixed(run: Run, album: Path) -> None:
    results = {}
    for strength in ("0", "0.5", "1"):
        assert run(album / "c.tif", "--strength", strength, "-o", album / f"{strength}.tif") == 0
        results[strength] = read_picture(album / f"{strength}.tif").pixels
    original = read_picture(album / "c.tif").pixels
    np.testing.assert_array_equal(results["0"], original)
    linear = lambda v: np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)  # noqa: E731
    np.testing.assert_allclose(linear(results["0.5"]), (linear(original) + linear(results["1"])) / 2, atol=0.006)
    assert np.abs(results["1"] - original).max() > 0.01
    assert run(album / "c.tif", "--strength", "1.5") == 2


def test_dry_run_says_what_would_be_and_does_nothing(run: Run, album: Path, tmp_path: Path, capsys: Capture) -> None:
    before = below(tmp_path)
    assert run(album, "missing.png", "-r", "-o", tmp_path / "out", "--dry-run", "--json") == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["error"].startswith("missing.png: no such file")
    assert [line["would"] for line in lines[1:]] == ["restore"] * 5
    assert str(tmp_path / "out" / "1999" / "june" / "d.png") in {line.get("output") for line in lines}
    assert main(["restore", str(album), "--dry-run", "--model", "no-such-model"]) == 0  # no model is needed
    assert below(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_a_second_run_does_only_what_has_changed(
    run: Run, album: Path, tmp_path: Path, scene: Scene, capsys: Capture
) -> None:
    out = tmp_path / "out"
    assert run(album, "-o", out) == 0
    times = {path: path.stat().st_mtime_ns for path in out.iterdir() if path.name != NAME}
    write_picture(Picture(pixels=scene(9, 9)), album / "b.jpg")  # another input
    (out / "c.tif").unlink()  # a result that is gone
    capsys.readouterr()
    assert run(album, "-o", out, "--json") == 1
    *lines, summary = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert summary["summary"] | {"seconds": 0, "megapixels": 0} == {
        **{"done before": 1, "failed": 1, "restored": 1},
        **{"seconds": 0, "megapixels": 0},
    }
    assert lines[0]["before"] is True
    assert "b.jpg: exists already; --overwrite replaces it" in lines[1]["error"]
    assert (out / "a.png").stat().st_mtime_ns == times[out / "a.png"]
    assert run(album, "-o", out, "--strength", "0.5") == 1  # other options: nothing is done before
    assert "3 failed" in capsys.readouterr().err
    assert run(album, "-o", out, "--overwrite") == 0
    (out / NAME).write_text("no journal")
    assert run(album, "-o", out) == 2
    assert "the journal is damaged" in capsys.readouterr().err


def test_what_others_put_there_after_a_failure_stays(run: Run, flat: Path, tmp_path: Path, capsys: Capture) -> None:
    whole = (flat / "b.png").read_bytes()
    (flat / "b.png").write_bytes(whole[:300])
    out = tmp_path / "out"
    assert run(flat, "-o", out) == 1
    (flat / "b.png").write_bytes(whole)
    (out / "b.png").write_text("mine")
    assert run(flat, "-o", out) == 1
    assert "b.png: exists already; --overwrite replaces it" in capsys.readouterr().err
    assert (out / "b.png").read_text() == "mine"


def test_folders_behind_links_are_not_written_into(run: Run, album: Path, tmp_path: Path, capsys: Capture) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    for folder in (out, outside):
        folder.mkdir()
    (out / "1999").symlink_to(outside)
    assert run(album, "-r", "-o", out) == 1
    assert capsys.readouterr().err.count("a link leads out of") == 2
    assert list(outside.iterdir()) == []
    assert below(out) == ["a.png", "b.jpg", "c.tif"]
    (out / NAME).unlink()
    (out / NAME).symlink_to(outside / "journal")
    assert run(album, "-o", out) == 2
    assert "a link stands in the way of the journal" in capsys.readouterr().err
    assert list(outside.iterdir()) == []


def test_what_a_shell_expands_is_restored_once(run: Run, flat: Path) -> None:
    for option, tag in (("--overwrite", "restored"), ("--in-place", "original")):
        for _ in range(2):
            assert run(*sorted(flat.glob("*.png")), option) == 0
        assert {path.name.count(f".{tag}") for path in flat.glob("*.png")} == {0, 1}
    assert not [path for path in flat.iterdir() if path.name.count(".original") > 1]


def test_an_output_folder_inside_the_input_is_passed_by(run: Run, album: Path, capsys: Capture) -> None:
    for said in ("5 restored", "5 done before"):
        assert run(album, "-r", "-o", album / "out") == 0
        assert said in capsys.readouterr().err
    assert not (album / "out" / "out").exists()


def test_the_journal_is_found_when_pictures_are_added(run: Run, tmp_path: Path, scene: Scene, capsys: Capture) -> None:
    folder = tmp_path / "grows"
    for number, name in enumerate(("deep/down/a.png", "deep/down/b.png", "deep/c.png", "d.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(Picture(pixels=scene(9, 9)), folder / name)
        assert run(folder, "-r", "-o", tmp_path / "out", "--json") == 0
        summary = [json.loads(line) for line in capsys.readouterr().out.splitlines()][-1]
        assert summary.get("summary", {}).get("done before", 0) == number
    moved = tmp_path / "moved"
    (tmp_path / "out").rename(moved)
    assert run(folder, "-r", "-o", moved, "--overwrite") == 0  # what is done is not done again even then
    assert "4 done before" in capsys.readouterr().err
    assert list(moved.rglob(NAME)) == [moved / NAME]


def test_two_runs_in_one_folder_do_not_meet(run: Run, flat: Path, tmp_path: Path, capsys: Capture) -> None:
    job = Job(source=flat / "a.png", target=tmp_path / "a.png", home=tmp_path)
    with open_journals([job], {}):
        part = tmp_path / PARTS / "of-that-run.png"
        part.parent.mkdir()
        part.touch()
        assert run(flat, "-o", tmp_path) == 2
        assert part.exists()
    assert "another run writes into this folder" in capsys.readouterr().err
    assert not (tmp_path / NAME).exists()  # nothing was noted in it
    assert run(flat, "-o", tmp_path) == 0


def test_a_dry_run_knows_what_is_done(run: Run, flat: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    assert run(flat, "-o", out) == 0
    (out / "b.png").write_text("mine")
    capsys.readouterr()
    assert run(flat, "-o", out, "--dry-run", "--json") == 0
    first, second = (json.loads(line)["would"] for line in capsys.readouterr().out.splitlines())
    assert first == "nothing: done before"
    assert second.startswith("nothing: ")
    assert second.endswith("b.png: exists already; --overwrite replaces it")


KILL = """
import os, signal, sys
from pathlib import Path
from undegrade.cli import main
move, left = Path.replace, int(sys.argv[1])
def replace(path, target):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return move(path, target)
Path.replace = replace
main(sys.argv[2:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("in_place", [False, True])
def test_killed_at_any_step_it_goes_on(
    in_place: bool, model: Path, flat: Path, tmp_path: Path, run: Run, capsys: Capture
) -> None:
    """Before every single renaming of a file, which is where something becomes visible."""
    originals = {path.name: path.read_bytes() for path in flat.iterdir()}
    for step in range(6 if in_place else 4):
        folder, out = tmp_path / f"{step}", tmp_path / f"{step}-out"
        folder.mkdir()
        for name, data in originals.items():
            (folder / name).write_bytes(data)
        rest = [str(folder), *(["--in-place"] if in_place else ["-o", str(out)])]
        command = [sys.executable, "-c", KILL, str(step), "restore", *rest, "--model", str(model)]
        assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
        assert run(*rest) == 0, capsys.readouterr().err
        results = folder if in_place else out
        expected = {NAME, *originals} | ({f"{name[0]}.original.png" for name in originals} if in_place else set())
        assert {path.name for path in results.iterdir()} == expected  # and nothing half written is left
        for name, data in originals.items():
            kept = folder / (f"{name[0]}.original.png" if in_place else name)
            assert kept.read_bytes() == data
            assert read_picture(results / name).pixels.shape[2] == 30
            assert (results / name).read_bytes() != data


def test_a_run_that_is_killed_goes_on(model: Path, tmp_path: Path, scene: Scene, capsys: Capture) -> None:
    album, out = tmp_path / "album", tmp_path / "out"
    album.mkdir()
    for number in range(12):
        write_picture(Picture(pixels=scene(300 + number, 400)), album / f"{number:02}.png")
    arguments = ["restore", str(album), "-o", str(out), "--jobs", "2", "--model", str(model)]
    process = subprocess.Popen([sys.executable, "-m", "undegrade", *arguments], stderr=subprocess.DEVNULL)
    while len(below(out) if out.exists() else []) < 3 and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = below(out)
    for name in done:  # whole, every one of them
        assert read_picture(out / name).pixels.shape[2] == 400
    times = {name: (out / name).stat().st_mtime_ns for name in done}
    assert main([*arguments, "--json"]) == 0
    *lines, summary = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert len(lines) == 12
    again = [name for name in done if (out / name).stat().st_mtime_ns != times[name]]
    assert len(again) <= 2  # what was written, but not noted yet
    assert summary["summary"]["done before"] == len(done) - len(again)
    assert below(out) == sorted(path.name for path in album.iterdir())
    assert main(["restore", str(album), "-o", str(tmp_path / "one"), "--model", str(model)]) == 0
    for name in below(out):
        assert (out / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_from_stdin_to_stdout(model: Path, album: Path) -> None:
    def pipe(data: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "undegrade", "restore", "-", *options, "--model", str(model)]
        return subprocess.run(command, input=data, capture_output=True, check=False)

    done = pipe((album / "b.jpg").read_bytes())
    assert done.returncode == 0
    assert Image.open(io.BytesIO(done.stdout)).format == "JPEG"
    assert done.stderr.startswith(b"rain streaks: restored in ")
    done = pipe((album / "a.png").read_bytes(), "--format", "webp", "-o", "-")
    assert Image.open(io.BytesIO(done.stdout)).format == "WEBP"
    assert pipe((album / "a.png").read_bytes(), "-o", str(album / "b.jpg")).returncode == 2  # it exists
    command = [sys.executable, "-m", "undegrade", "restore", str(album / "a.png"), "-o", "-", "--model", str(model)]
    sent = subprocess.run(command, capture_output=True, check=True).stdout
    assert Image.open(io.BytesIO(sent)).size == (30, 20)
    done = pipe(b"not a picture")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: stdin: not a picture")


class Page(html.parser.HTMLParser):
    """What is open when it should not be, and where pictures come from."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)
        if tag == "img":
            self.sources.append(dict(attrs)["src"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_preview_stands_alone(run: Run, album: Path, tmp_path: Path, capsys: Capture) -> None:
    (album / "a.png").rename(album / "<b>&.png")
    page = tmp_path / "page.html"
    assert run(album, "--preview", page, "-o", tmp_path / "out") == 0
    text = page.read_text()
    parser = Page()
    parser.feed(text)
    assert parser.open == []
    assert len(parser.sources) == 6
    assert all(source.startswith("data:image/jpeg;base64,/9j/") for source in parser.sources)
    assert "&lt;b&gt;&amp;.png" in text
    assert not re.search(r"https?:|url\(|@import", text)
    assert text.count('type="range"') == 3
    assert run(album, "--preview", tmp_path / "page.png", "-o", tmp_path / "again") == 2
    assert "expected a name ending in .html" in capsys.readouterr().err
