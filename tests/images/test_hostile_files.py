"""Files made to do harm, through the real command: each gives one line, code 1, no output, little time and memory."""

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image

from undegrade.images import read_picture

SECONDS, MEGABYTES = 2, 500
HEIC = Path(__file__).with_name("turned.heic")

# Runs the command on each file in one process, because starting it takes longer than all of them; the processor's time
# is what is counted, because the machine may be busy with other things.
DRIVER = """
import contextlib, io, json, pathlib, re, sys, time
from undegrade.cli import main
model, out, *files = sys.argv[1:]
results = []
for file in files:
    errors, began = io.StringIO(), time.process_time()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        code = main(["restore", file, "-o", f"{out}/", "--overwrite", "--model", model])
    results.append((file, code, errors.getvalue(), time.process_time() - began))
status = pathlib.Path("/proc/self/status")  # rusage counts what the process was forked from, too
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]) if status.exists() else 0
print(json.dumps((results, peak)))
"""

Restore = Callable[[list[Path]], dict[str, tuple[int, list[str]]]]


@pytest.fixture
def restore(model: Path, tmp_path: Path) -> Restore:
    """Runs the command; {file name: (exit code, lines of stderr)}, time and memory asserted."""

    def run(files: list[Path]) -> dict[str, tuple[int, list[str]]]:
        arguments = [sys.executable, "-W", "error", "-c", DRIVER, str(model), str(tmp_path / "out"), *map(str, files)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""  # nothing past Python either, from libvips or the libraries below it
        results, peak = json.loads(done.stdout)
        assert peak < MEGABYTES * 1024
        for file, _, _, seconds in results:
            assert seconds < SECONDS, file
        return {Path(file).name: (code, lines.splitlines()) for file, code, lines, _ in results}

    return run


def refused(answers: dict[str, tuple[int, list[str]]], folder: Path) -> None:
    """Asserts one line for each file that names it, code 1, and that nothing was written."""
    for name, (code, lines) in answers.items():
        assert code == 1, (name, lines)
        assert len(lines) == 1, (name, lines)
        assert lines[0].startswith("error: "), lines
        assert name in lines[0], lines
        assert "internal error" not in lines[0]
    assert not list((folder / "out").iterdir())


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, *, before: bytes = b"", pixels: bytes | None = None) -> bytes:
    """A PNG file of black RGB pixels, or with `pixels` as they stand in the file."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    if pixels is None:
        pixels = zlib.compress(bytes((3 * width + 1) * height))
    return b"\x89PNG\r\n\x1a\n" + head + before + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def zip_bomb(megabytes: int) -> bytes:
    """Zeros that unpack to so many megabytes."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def tiff(tags: list[tuple[int, int, int, int]], behind: bytes = b"", following: int = 0) -> bytes:
    """A TIFF file of one directory with (tag, type, count, value) entries."""
    rows = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + rows + struct.pack("<I", following) + behind


def dng() -> bytes:
    """A camera's RAW file by hand: 32 x 32 samples of 16 bits behind a Bayer filter."""
    matrix_at = 8 + 2 + 12 * 17 + 4
    samples_at = matrix_at + 72
    tags = [(254, 4, 1, 0), (256, 4, 1, 32), (257, 4, 1, 32), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 32803)]
    tags += [(271, 2, 4, int.from_bytes(b"Cam\0", "little")), (273, 4, 1, samples_at), (274, 3, 1, 6), (277, 3, 1, 1)]
    tags += [(278, 4, 1, 32), (279, 4, 1, 2048), (33421, 3, 2, 0x20002), (33422, 1, 4, 0x02010100)]
    tags += [(50706, 1, 4, 0x401), (50721, 10, 9, matrix_at), (50778, 3, 1, 21)]
    matrix = [(v, 10000) for v in (32405, -15371, -4985, -9693, 18760, 416, 556, -2040, 10572)]
    ramp = np.linspace(2000, 60000, 1024).astype("<u2").tobytes()
    return tiff(tags, b"".join(struct.pack("<ii", *value) for value in matrix) + ramp)


@pytest.fixture(scope="module")
def whole_files(photo: NDArray[np.uint8]) -> dict[str, bytes]:
    """A sound file of each format that is read, by its name."""
    noisy = photo ^ np.random.default_rng(0).integers(0, 64, photo.shape, dtype=np.uint8)
    image = pyvips.Image.new_from_array(noisy).copy(interpretation="srgb")
    files = {
        f"a{suffix}": image.write_to_buffer(suffix) for suffix in (".png", ".jpg", ".tif", ".webp", ".avif", ".gif")
    }
    files["tiled.tif"] = image.tiffsave_buffer(tile=True, tile_width=16, tile_height=16, compression="deflate")
    pages = io.BytesIO()
    Image.fromarray(noisy).save(pages, "TIFF", save_all=True, append_images=[Image.fromarray(photo)])
    return files | {"pages.tif": pages.getvalue(), "a.heic": HEIC.read_bytes(), "a.dng": dng()}


def test_the_sound_files_are_restored(restore: Restore, whole_files: dict[str, bytes], tmp_path: Path) -> None:
    for name, data in whole_files.items():
        (tmp_path / name).write_bytes(data)
    answers = restore([tmp_path / name for name in whole_files])
    assert {code for code, _ in answers.values()} == {0}, answers


def test_files_cut_short_anywhere_are_refused(restore: Restore, whole_files: dict[str, bytes], tmp_path: Path) -> None:
    paths = []
    for name, data in whole_files.items():
        for tenth in (0, 2, 5, 8, 9):
            path = tmp_path / f"{tenth}-{name}"
            path.write_bytes(data[: len(data) * tenth // 10])
            paths.append(path)
    refused(restore(paths), tmp_path)


def test_flipped_bytes_are_refused_or_harmless(restore: Restore, whole_files: dict[str, bytes], tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    paths = []
    for name, data in whole_files.items():
        for number in range(5):
            changed = np.frombuffer(data, np.uint8).copy()
            places = rng.integers(0, min(len(data), 400 if number % 2 else len(data)), 1 + number)
            changed[places] = rng.integers(0, 256, len(places))
            path = tmp_path / f"{name.replace('.', '-')}-{number}{Path(name).suffix}"
            path.write_bytes(changed.tobytes())
            paths.append(path)
    for name, (code, lines) in restore(paths).items():
        written = [path for path in (tmp_path / "out").iterdir() if path.stem == Path(name).stem]
        errors = [line for line in lines if line.startswith("error: ")]
        assert code in (0, 1), (name, lines)
        assert len(errors) == code, (name, lines)
        assert not any("internal error" in line for line in lines), (name, lines)
        assert len(written) == 1 - code, (name, lines)


def headers() -> Iterator[tuple[str, bytes]]:
    """Files that say they are far larger than they are."""
    side = 50_000
    yield "header.png", png(side, side, pixels=zlib.compress(bytes(1000)))
    yield "bomb.png", png(side, side, pixels=zip_bomb(200))
    yield "widest.png", png(2**31 - 1, 1, pixels=b"")
    frame = struct.pack(">BHHBBBBBBBBBB", 8, 65_000, 65_000, 3, 1, 17, 0, 2, 17, 0, 3, 17, 0)
    yield "header.jpg", b"\xff\xd8\xff\xc0\0\x11" + frame + b"\xff\xd9"
    yield (
        "header.gif",
        b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b",\0\0\0\0\xff\xff\xff\xff\0" + b"\2\2\x44\1\0;",
    )
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    yield "header.tif", tiff([*tags, (277, 3, 1, 1), (278, 4, 1, side), (279, 4, 1, 8)])
    yield "header.dng", dng().replace(struct.pack("<HHII", 256, 4, 1, 32), struct.pack("<HHII", 256, 4, 1, 10**6))
    yield "header.heic", HEIC.read_bytes().replace(b"ispe\0\0\0\0\0\0\0", b"ispe\0\0\0\0\0\0\xff")


def unpacking() -> Iterator[tuple[str, bytes]]:
    """Small files that unpack to far more than their pixels need, or that lead nowhere."""
    packed = zip_bomb(500)
    yield "profile.png", png(4, 4, before=chunk(b"iCCP", b"x\0\0" + packed))
    comments = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 20), 9)) * 100
    yield "comments.png", png(4, 4, before=comments)
    # One value of 64 kB that is named by thousands of entries.
    behind = bytes(1 << 16)
    place = 8 + 2 + 12 * 4000 + 4
    yield "again.tif", tiff([(0x8000 + number, 1, len(behind), place) for number in range(4000)], behind)
    yield "loop.tif", tiff([(256, 4, 1, 4), (257, 4, 1, 4)], following=8)
    yield "none.tif", b"II*\0" + struct.pack("<I", 2**31)
    yield "frames.gif", b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + b",\0\0\0\0\1\0\1\0\0\2\2\x44\1\0" * 20_000 + b";"
    yield "text.jpg", b"This is no picture."
    yield "film.heic", b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(100)
    yield "drawing.png", b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaa">]><svg>&a;</svg>'
    yield "document.jpg", b"%PDF-1.7\n"
    yield "matrix.png", b"MATLAB 5.0 MAT-file" + bytes(200)
    yield "empty.jpg", b""


@pytest.mark.parametrize("make", [headers, unpacking])
def test_what_asks_for_too_much_is_refused(
    make: Callable[[], Iterator[tuple[str, bytes]]], restore: Restore, tmp_path: Path
) -> None:
    paths = []
    for name, data in make():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    refused(restore(paths), tmp_path)


def test_places_that_are_no_files_are_refused(restore: Restore, tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "itself.jpg").symlink_to(tmp_path / "itself.jpg")
    (tmp_path / "there.jpg").symlink_to(tmp_path / "back.jpg")
    (tmp_path / "back.jpg").symlink_to(tmp_path / "there.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zeros.jpg").symlink_to("/dev/zero")
    names = ("folder.jpg", "itself.jpg", "there.jpg", "pipe.jpg", "zeros.jpg", "absent.jpg")
    refused(restore([tmp_path / name for name in names]), tmp_path)


def test_a_folder_with_a_link_to_itself_comes_to_an_end(
    restore: Restore, whole_files: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    (folder / "a.png").write_bytes(whole_files["a.png"])
    (folder / "again").symlink_to(folder)
    (folder / "again.png").symlink_to(folder)
    assert restore([folder]) == {"album": (0, [])}


def test_what_is_harmless_is_restored_whatever_its_name(
    restore: Restore, whole_files: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "named.png").write_bytes(whole_files["a.jpg"])
    # Packed text that unpacks to 500 MB beside the pixels, or behind them, is not unpacked.
    packed = zip_bomb(500)
    (tmp_path / "note.png").write_bytes(png(4, 4, before=chunk(b"zTXt", b"Comment\0\0" + packed)))
    (tmp_path / "packet.png").write_bytes(png(4, 4, before=chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + packed)))
    (tmp_path / "behind.png").write_bytes(png(4, 4, pixels=packed))
    names = ("named.png", "note.png", "packet.png", "behind.png")
    assert {code for code, _ in restore([tmp_path / name for name in names]).values()} == {0}
    assert read_picture(tmp_path / "out" / "named.png").pixels.shape == (3, 40, 56)


def test_the_limit_can_be_moved_and_holds_in_a_process_of_its_own(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(50_000, 50_000, pixels=zlib.compress(bytes(1000))))
    (tmp_path / "b.png").write_bytes(png(20, 20))
    command = [sys.executable, "-c", "import sys; from undegrade.cli import main; sys.exit(main())"]
    for name, options, said in (
        ("a.png", [], "a.png: 50000 x 50000: more pixels than the limit of 1000000000"),
        ("b.png", ["--max-pixels", "399"], "b.png: 20 x 20: more pixels than the limit of 399"),
    ):
        arguments = ["restore", str(tmp_path / name), "--model", str(model), *options]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {tmp_path / said}")
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
