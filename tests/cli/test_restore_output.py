"""What `undegrade restore` writes: formats, quality, metadata, pages; and what it leaves alone when it cannot."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ExifTags, Image, PngImagePlugin

import undegrade
from undegrade.cli import main
from undegrade.images import Picture, read_picture, write_picture

Scene = Callable[[int, int], NDArray[np.float32]]
Capture = pytest.CaptureFixture[str]


def visible(folder: Path) -> list[Path]:
    """Its files without the journal."""
    return sorted(path for path in folder.iterdir() if not path.is_dir() and path.name[0] != ".")


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in visible(folder)}


@pytest.fixture
def rich_file(photo_file: Path) -> Path:
    """A PNG with everything a PNG can have beside its pixels."""
    path = photo_file.with_name("rich.png")
    info, exif = PngImagePlugin.PngInfo(), Image.Exif()
    info.add_text("Title", "old")
    info.add_itxt("XML:com.adobe.xmp", '<x><rdf:RDF xmlns:rdf="r"><a b="kept"/></rdf:RDF></x>')
    exif[ExifTags.Base.Make] = "Cam"
    exif[ExifTags.Base.Orientation] = 6
    with Image.open(photo_file) as image:
        profile = p3()
        image.save(path, pnginfo=info, exif=exif.tobytes(), icc_profile=profile, dpi=(300, 300))
    return path


def p3() -> bytes:
    import pyvips

    return bytes(pyvips.Operation.call("profile_load", "p3"))


def test_the_format_is_as_asked(model: Path, photo_file: Path, capsys: Capture) -> None:
    for name, form in (("jpg", "JPEG"), ("TIF", "TIFF"), ("webp", "WEBP"), ("avif", "AVIF")):
        assert main(["restore", str(photo_file), "--format", name, "--model", str(model)]) == 0
        with Image.open(photo_file.with_name(f"photo.restored.{name.lower()}")) as image:
            assert image.format == form
    assert capsys.readouterr().err == ""


def test_the_quality_is_as_asked(model: Path, photo_file: Path) -> None:
    sizes = []
    for quality in ("10", "95"):
        out = photo_file.with_name("out.jpg")
        options = ["--quality", quality, "--overwrite", "--model", str(model)]
        assert main(["restore", str(photo_file), "-o", str(out), *options]) == 0
        sizes.append(out.stat().st_size)
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quality", "90"], "PNG is written without loss, so it has no quality"),
        (["--format", "bmp"], "format: 'bmp'; expected one of png, jpg"),
        (["--format", "png", "-o", "{folder}/x.jpg"], "x.jpg: another format than png"),
    ],
)
def test_what_cannot_be_is_code_2_and_nothing_is_written(
    arguments: list[str], message: str, model: Path, photo_file: Path, capsys: Capture
) -> None:
    given = [argument.format(folder=photo_file.parent) for argument in arguments]
    assert main(["restore", str(photo_file), *given, "--model", str(model)]) == 2
    assert message in capsys.readouterr().err
    assert hashes(photo_file.parent).keys() == {"photo.png"}


@pytest.mark.parametrize("healthy", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif"])
def test_strip_removes_everything_but_the_look(
    suffix: str, healthy: bool, model: Path, contented_model: Path, rich_file: Path
) -> None:
    out = rich_file.with_name(f"out{suffix}")
    chosen = contented_model if healthy else model
    assert main(["restore", str(rich_file), "-o", str(out), "--strip", "--model", str(chosen)]) == 0
    content = out.read_bytes()
    for left in (b"Exif", b"Cam", b"RDF", b"old", b"acsp", b"ICC"):
        assert left not in content
    with Image.open(out) as image:
        assert not image.getexif().get(ExifTags.Base.Make)
        assert not set(image.info) & {"icc_profile", "xmp", "exif", "comment", "Title", "photoshop"}
    stripped = read_picture(out)
    assert stripped.metadata.resolution is None
    if healthy and suffix in (".png", ".tif"):
        # Turned upright, and P3's colours are sRGB's now.
        before = read_picture(rich_file).pixels
        assert stripped.pixels.shape == before.shape == (3, 70, 45)
        assert 0.005 < np.abs(stripped.pixels - before).mean() < 0.1


def test_record_says_what_was_done_and_keeps_the_rest(model: Path, rich_file: Path) -> None:
    out = rich_file.with_name("out.png")
    for source in (rich_file, out):  # the second time, there is an item already
        again = out.with_name("again.png") if source == out else out
        assert main(["restore", str(source), "-o", str(again), "--record", "--model", str(model)]) == 0
        packet = read_picture(again).metadata.xmp
        assert packet is not None
        assert b'<a b="kept"/>' in packet
        items = [
            dict(re.findall(r'undegrade:(\w+)="([^"]*)"', e)) for e in re.findall(r"<rdf:li>.*?/>", packet.decode())
        ]
        assert len(items) == (1 if again == out else 2)
        assert items[-1] == {
            "Software": f"undegrade {undegrade.__version__}",
            "Model": items[-1]["Model"],
            "ModelSHA256": hashlib.sha256(model.read_bytes()).hexdigest(),
            "Diagnosis": "rain",
            "Probability": items[-1]["Probability"],
            "Strength": "1",
        }
        assert items[-1]["Model"].startswith(model.name)
        assert 0.5 < float(items[-1]["Probability"]) <= 1


def test_nothing_is_recorded_where_nothing_was_done(contented_model: Path, rich_file: Path) -> None:
    assert main(["restore", str(rich_file), "--record", "--model", str(contented_model)]) == 0
    assert rich_file.with_name("rich.restored.png").read_bytes() == rich_file.read_bytes()


def test_a_packet_that_takes_no_record_is_noted(model: Path, photo_file: Path, capsys: Capture) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "no packet")
    with Image.open(photo_file) as image:
        image.save(photo_file, pnginfo=info)
    assert main(["restore", str(photo_file), "--record", "--model", str(model)]) == 0
    assert f"note: {photo_file}: Not recorded: the XMP packet is damaged" in capsys.readouterr().err


def test_all_pages_are_restored(
    model: Path, contented_model: Path, tmp_path: Path, scene: Scene, capsys: Capture
) -> None:
    pages = [Image.fromarray(np.uint8(scene(30, 40).transpose(1, 2, 0) * gain)) for gain in (255, 200, 150)]
    path = tmp_path / "scan.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_lzw")
    assert main(["restore", str(path), "--model", str(model), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [page["diagnosis"]["label"] for page in record["pages"]] == ["rain"] * 3
    with Image.open(tmp_path / "scan.restored.tif") as image:
        assert image.n_frames == 3
        for number, page in enumerate(pages):
            image.seek(number)
            difference = np.abs(np.asarray(image, np.float64) - np.asarray(page))
            assert 0 < difference.mean() < 40
    assert main(["restore", str(path), "--overwrite", "--model", str(model)]) == 0
    assert "3 of 3 pages restored" in capsys.readouterr().out
    assert main(["restore", str(path), "-o", str(tmp_path / "same.tif"), "--model", str(contented_model)]) == 0
    assert (tmp_path / "same.tif").read_bytes() == path.read_bytes()
    assert main(["restore", str(path), "-o", str(tmp_path / "x.png"), "--model", str(model)]) == 1
    assert "PNG holds one picture, not several pages" in capsys.readouterr().err


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sides=st.one_of(
        st.tuples(st.integers(1, 20), st.integers(1, 20)),
        st.sampled_from([(1, 1), (2000, 3), (3, 2000), (1, 2000), (2000, 1), (769, 2)]),
    ),
    suffix=st.sampled_from([".png", ".jpg", ".tif", ".webp", ".avif"]),
    gray=st.booleans(),
    alpha=st.booleans(),
    strip=st.booleans(),
)
def test_any_shape_is_restored_in_any_format(
    sides: tuple[int, int], suffix: str, gray: bool, alpha: bool, strip: bool, model: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(sum(sides)).random((1 if gray else 3, *sides), np.float32)
    picture = Picture(
        pixels=pixels.repeat(3, axis=0) if gray else pixels, gray=gray, alpha=pixels[:1].copy() if alpha else None
    )
    write_picture(picture, tmp_path / "in.tif")
    out = tmp_path / f"out{suffix}"
    options = ["--overwrite", *(["--strip"] if strip else [])]
    assert main(["restore", str(tmp_path / "in.tif"), "-o", str(out), "--model", str(model), *options]) == 0
    result = read_picture(out)
    assert result.pixels.shape == (3, *sides)
    assert (result.alpha is not None) == (alpha and suffix != ".jpg")
    assert result.gray == (gray and suffix not in (".webp", ".avif"))
    if alpha and suffix in (".png", ".tif"):
        np.testing.assert_allclose(result.alpha, np.rint(pixels[:1] * 255) / 255, atol=1e-6)


# Originals and finished results stay whatever happens.


@pytest.mark.parametrize("healthy", [False, True])
def test_links_in_the_output_folder_are_not_followed(
    healthy: bool, model: Path, contented_model: Path, photo_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    outside, out = tmp_path / "outside.png", tmp_path / "out"
    outside.write_text("precious")
    out.mkdir()
    for name, goal in (("photo.png", outside), ("twin.png", tmp_path / "absent.png"), ("third.png", out / "third.png")):
        (out / name).symlink_to(goal)
    for name in ("twin.png", "third.png", "fourth.png"):
        photo_file.with_name(name).write_bytes(photo_file.read_bytes())
    chosen = contented_model if healthy else model
    assert main(["restore", str(photo_file.parent), "-o", str(out), "--model", str(chosen)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert all("a link of this name stands in the way" in line for line in lines[:3])
    assert "3 failed" in lines[3]
    assert outside.read_text() == "precious"
    assert not (tmp_path / "absent.png").exists()
    assert [path.name for path in visible(out)] == [
        "fourth.png",
        "photo.png",
        "third.png",
        "twin.png",
    ]
    assert (out / "photo.png").is_symlink()


FULL = """
import resource, signal, sys
from undegrade.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), -1))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("healthy", [False, True])
def test_a_full_disk_leaves_originals_and_finished_results(
    healthy: bool, model: Path, contented_model: Path, scene: Scene, tmp_path: Path
) -> None:
    album, out = tmp_path / "album", tmp_path / "out"
    album.mkdir()
    out.mkdir()
    for name, side in (("a.png", 8), ("b.png", 90), ("c.png", 8)):
        write_picture(Picture(pixels=scene(side, side)), album / name)
    (out / "b.png").write_text("of an earlier run")
    before = hashes(album)
    assert (album / "b.png").stat().st_size > 8000 > 4 * (album / "a.png").stat().st_size
    used = contented_model if healthy else model
    arguments = ["restore", str(album), "-o", str(out), "--overwrite", "--model", str(used)]
    # A limit on the size of files stands for the disk: writing fails in the same place.
    done = subprocess.run(
        [sys.executable, "-c", FULL, "8000", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"error: {out / 'b.png'}: cannot be written (File too large); check the folder and the disk\n"
    )
    assert hashes(album) == before
    assert (out / "b.png").read_text() == "of an earlier run"
    assert [path.name for path in visible(out)] == ["a.png", "b.png", "c.png"]
    assert read_picture(out / "c.png").pixels.shape == (3, 8, 8)


def test_a_lost_permission_leaves_originals_and_finished_results(
    model: Path, photo_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    photo_file.with_name("twin.png").write_bytes(photo_file.read_bytes())
    before, opened = hashes(photo_file.parent), os.open
    made: list[str] = []

    def deny_the_second(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT and str(path).endswith(".part"):
            made.append(str(path))
            if len(made) == 3:  # the first picture is written, then completed
                raise PermissionError(13, "Permission denied")
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", deny_the_second)
    assert main(["restore", str(photo_file.parent), "--model", str(model)]) == 1
    assert "twin.restored.png: cannot be written (Permission denied)" in capsys.readouterr().err
    after = hashes(photo_file.parent)
    assert after.keys() == before.keys() | {"photo.restored.png"}
    assert {name: after[name] for name in before} == before


def test_results_have_the_usual_rights_and_are_private_until_then(tmp_path: Path) -> None:
    from undegrade.atomic import written_whole

    (tmp_path / "usual").touch()
    with written_whole(tmp_path / "a") as partial:
        assert partial.stat().st_mode & 0o777 == 0o600
        assert partial.parent == tmp_path
        partial.write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode
