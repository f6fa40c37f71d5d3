import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.cli import main
from undegrade.images import Picture, read_picture, write_picture

Scene = Callable[[int, int], NDArray[np.float32]]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def album(photo_file: Path, scene: Scene) -> Path:
    """A folder with three pictures of different kinds."""
    folder = photo_file.parent
    write_picture(Picture(pixels=scene(33, 20), bits=16), folder / "deep.tif")
    write_picture(Picture(pixels=scene(20, 33)[:1].repeat(3, axis=0), gray=True), folder / "gray.jpg")
    return folder


def visible(folder: Path) -> list[Path]:
    """Its files without the journal."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in visible(folder)}


def test_a_picture_is_restored_beside_its_original(model: Path, photo_file: Path, capsys: Capture) -> None:
    before = photo_file.read_bytes()
    assert main(["restore", str(photo_file), "--model", str(model)]) == 0
    result = photo_file.with_name("photo.restored.png")
    assert photo_file.read_bytes() == before
    assert not np.array_equal(read_picture(result).pixels, read_picture(photo_file).pixels)
    captured = capsys.readouterr()
    assert captured.err == ""
    assert all(text in captured.out for text in (str(photo_file), "rain streaks", "restored", str(result)))


def lines_of(text: str) -> list[dict[str, Any]]:
    """The records of JSON lines, the summary last where there is one."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line.pop("version") for line in lines} == {1}
    return lines


def test_json_is_one_object_a_line_and_originals_stay(
    model: Path, album: Path, tmp_path: Path, capsys: Capture
) -> None:
    before = hashes(album)
    out = tmp_path / "out"
    assert main(["restore", str(album), "-o", str(out), "--model", str(model), "--json"]) == 0
    *records, summary = lines_of(capsys.readouterr().out)
    assert summary["summary"]["restored"] == 3
    assert summary["summary"]["megapixels"] == pytest.approx(0.004, abs=0.001)
    assert [Path(record["output"]).name for record in records] == ["deep.tif", "gray.jpg", "photo.png"]
    told = {"input", "output", "changed", "diagnosis", "repaired", "reason", "left", "pixels", "seconds", "notes"}
    assert set(records[0]) == told
    assert records[0]["repaired"] == [{"kind": None, "strength": 1.0, "by": "network"}]
    assert records[0]["changed"] is True
    assert records[0]["diagnosis"]["label"] == "rain"
    assert sum(records[0]["diagnosis"]["probabilities"].values()) == pytest.approx(1, abs=0.01)
    assert hashes(album) == before
    assert read_picture(out / "deep.tif").bits == 16
    assert read_picture(out / "gray.jpg").gray


def test_what_is_well_is_copied_byte_for_byte(contented_model: Path, album: Path, capsys: Capture) -> None:
    before = hashes(album)
    assert main(["restore", str(album), "-o", str(album / "out"), "--model", str(contented_model)]) == 0
    assert hashes(album / "out") == before
    assert capsys.readouterr().out.count("left alone") == 3
    photo = str(album / "photo.png")
    assert main(["restore", photo, "-o", str(album / "x.tif"), "--model", str(contented_model)]) == 0
    assert np.array_equal(read_picture(album / "x.tif").pixels, read_picture(photo).pixels)


def test_one_bad_file_does_not_stop_the_others(model: Path, album: Path, capsys: Capture) -> None:
    (album / "empty.png").write_bytes(b"")
    (album / "text.png").write_text("not a picture")
    (album / "cut.png").write_bytes((album / "photo.png").read_bytes()[:700])
    missing = album / "missing.png"
    out = album / "out"
    arguments = ["restore", str(album), str(missing), "-o", str(out), "--model", str(model), "--json"]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 4
    for name, reason in {
        "missing.png": "no such file",
        "cut.png": "cut short or damaged",
        "empty.png": "the file is empty (0 bytes)",
        "text.png": "not a picture",
    }.items():
        (line,) = (line for line in lines if name in line)
        assert line.startswith(f"error: {album / name}: ")
        assert reason in line
    assert [path.name for path in visible(out)] == ["deep.tif", "gray.jpg", "photo.png"]
    *lines, _ = lines_of(captured.out)
    records = {Path(record["input"]).name: record for record in lines}
    assert "0 bytes" in records["empty.png"]["error"]
    assert records["photo.png"]["changed"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_one_line(model: Path, photo_file: Path, capsys: Capture) -> None:
    photo_file.chmod(0)
    assert main(["restore", str(photo_file), "--model", str(model)]) == 1
    assert f"error: {photo_file}: no permission to read it" in capsys.readouterr().err


def test_a_file_that_may_not_be_read_is_one_line(
    model: Path, photo_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    opened = os.open

    def refuse(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if Path(path) == photo_file:
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    assert main(["restore", str(photo_file), "--model", str(model)]) == 1
    assert f"error: {photo_file}: no permission to read it" in capsys.readouterr().err


def test_an_empty_folder_is_one_line(model: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["restore", str(tmp_path), "--model", str(model)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {tmp_path}: no pictures in this folder")
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "{folder}/photo.png"], "photo.png: is an input; originals are never overwritten"),
        (["-o", "{folder}"], "photo.png: is an input; originals are never overwritten"),
        (["-o", "{folder}/x.bmp"], "x.bmp: unknown ending '.bmp'"),
        (["--sheet", "{folder}/photo.png"], "photo.png: is an input; originals are never overwritten"),
        (["--sheet", "{folder}/s.txt"], "s.txt: unknown ending '.txt'"),
        (["--model", "universal-tiny"], "unknown model 'universal-tiny'; known are default, quality, universal-small"),
        (["--model", "{folder}/m.xml"], "m.xml: no such model file"),
    ],
)
def test_what_cannot_be_done_as_asked_is_code_2_and_nothing_is_written(
    arguments: list[str], message: str, model: Path, photo_file: Path, capsys: Capture
) -> None:
    before = hashes(photo_file.parent)
    given = [argument.format(folder=photo_file.parent) for argument in arguments]
    defaults = [] if "--model" in given else ["--model", str(model)]
    assert main(["restore", str(photo_file), *given, *defaults]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert hashes(photo_file.parent) == before


def test_a_damaged_checkpoint_is_refused(checkpoint: Path, photo_file: Path, capsys: Capture) -> None:
    data = bytearray(checkpoint.read_bytes())
    data[-1] ^= 1
    bad = photo_file.with_name("bad.safetensors")
    bad.write_bytes(data)
    assert main(["restore", str(photo_file), "--model", str(bad)]) == 2
    assert "bad.safetensors: the weights do not match their recorded sha256" in capsys.readouterr().err


def test_the_sheet_shows_every_picture(model: Path, album: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ["restore", str(album), "-o", str(tmp_path / "out"), "--sheet", str(sheet), "--model", str(model)]
    assert main(arguments) == 0
    assert min(read_picture(sheet).pixels.shape[1:]) > 300


def test_a_second_run_does_not_restore_its_own_results(model: Path, photo_file: Path) -> None:
    for _ in range(2):
        assert main(["restore", str(photo_file.parent), "--overwrite", "--model", str(model)]) == 0
    assert [path.name for path in visible(photo_file.parent)] == ["photo.png", "photo.restored.png"]


def test_the_device_is_said_and_the_budget_kept(model: Path, photo_file: Path, capsys: Capture) -> None:
    options = ["--model", str(model), "--device", "auto", "--precision", "f32", "--memory", "16GB"]
    assert main(["restore", str(photo_file), *options]) == 0
    assert capsys.readouterr().err == "tiny.xml, OpenVINO f32: the CPU, no GPU\n"
    for option, value, said in (
        ("--memory", "1MB", "memory: 1 MB; a picture 70 pixels wide needs"),
        ("--memory", "much", "memory: 'much'; expected a size such as 1.5GB"),
        ("--device", "tpu", "device: 'tpu'; expected one of auto, cpu, cuda, mps"),
        ("--precision", "int8", "precision: 'int8'; expected one of"),
    ):
        assert main(["restore", str(photo_file), "--model", str(model), option, value, "--overwrite"]) in (1, 2)
        assert said in capsys.readouterr().err


def test_an_onnx_file_restores_alike(checkpoint: Path, model: Path, photo_file: Path, tmp_path: Path) -> None:
    assert main(["export", str(checkpoint), "-o", str(tmp_path / "tiny.onnx")]) == 0
    for name, used in (("a.png", tmp_path / "tiny.onnx"), ("b.png", model), ("c.png", checkpoint)):
        assert main(["restore", str(photo_file), "-o", str(tmp_path / name), "--model", str(used)]) == 0
    a, b, c = (read_picture(tmp_path / name).pixels for name in ("a.png", "b.png", "c.png"))
    assert np.abs(a - c).max() <= 1.01 / 255
    assert 10 * np.log10(1 / np.square(a - b).mean()) > 50
