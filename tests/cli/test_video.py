import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from undegrade.cli import main
from undegrade.inference.video import pyav

Film = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


def test_a_video_is_restored_beside_its_original(film: Film, model: Path, tmp_path: Path, capsys: Capture) -> None:
    source = film(tmp_path / "clip.mp4", sounds=1)
    before = source.read_bytes()
    assert main(["video", str(source), "--model", str(model)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    target = tmp_path / "clip.restored.mp4"
    for text in (str(source), "rain streaks", "restored, 1 of 1 shots", str(target), "12"):
        assert text in captured.out
    assert source.read_bytes() == before
    with av.open(str(target)) as container:
        assert [stream.type for stream in container.streams][:2] == ["video", "audio"]
        assert len(list(container.decode(container.streams.video[0]))) == 12
    assert main(["video", str(source), "--model", str(model)]) == 2
    assert "clip.restored.mp4: exists already; --overwrite replaces it" in capsys.readouterr().err
    assert main(["video", str(source), "--model", str(model), "--overwrite"]) == 0


def test_json_tells_all_about_the_shots(film: Film, model: Path, tmp_path: Path, capsys: Capture) -> None:
    source = film(tmp_path / "clip.avi", codec="mpeg4", options={})
    arguments = ["video", str(source), "-o", str(tmp_path / "out.mkv"), "--codec", "ffv1", "--json"]
    assert main([*arguments, "--model", str(model)]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["changed"] is True
    assert (record["codec"], record["frames"], record["duration"]) == ("ffv1", 12, 0.48)
    assert (record["segments"], record["segments_of_an_earlier_run"]) == (1, 0)
    assert record["frames_restored_in_this_run"] == 12
    assert record["fps"] == pytest.approx(12 / record["seconds"], rel=0.05)
    (shot,) = record["shots"]
    assert (shot["first_frame"], shot["frames"], shot["start"], shot["duration"]) == (0, 12, 0, 0.48)
    assert shot["diagnosis"]["label"] == "rain"


def test_what_is_well_is_left_alone(film: Film, contented_model: Path, tmp_path: Path, capsys: Capture) -> None:
    source = film(tmp_path / "clip.mp4")
    assert main(["video", str(source), "--model", str(contented_model), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert (record["changed"], record["codec"], record["frames_restored_in_this_run"]) == (False, None, 0)
    assert Path(record["output"]).read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.mp4"], "no.mp4: no such file; check the name"),
        (["text.mp4"], "text.mp4: not a video, or cut short or damaged"),
        (["clip.mp4", "-o", "clip.mp4"], "clip.mp4: is the input; originals are never overwritten"),
        (["clip.mp4", "-o", "out.gif"], "out.gif: unknown ending '.gif'; expected one of .mp4"),
        (["clip.mp4", "--codec", "xvid"], "codec: xvid; expected one of h264"),
        (["clip.mp4", "--crf", "99"], "crf: 99; h264 takes 0 (best) to 51"),
        (["clip.mp4", "--model", "none"], "unknown model 'none'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_code_2(
    film: Film, model: Path, tmp_path: Path, capsys: Capture, arguments: list[str], message: str
) -> None:
    film(tmp_path / "clip.mp4")
    (tmp_path / "text.mp4").write_text("not a video")
    before = sorted(tmp_path.iterdir())
    given = [str(tmp_path / word) if "." in word else word for word in arguments]
    defaults = [] if "--model" in given else ["--model", str(model)]
    assert main(["video", *given, *defaults]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.out == ""
    assert sorted(tmp_path.iterdir()) == before


def test_without_pyav_it_says_how_to_get_it(
    film: Film, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    source = film(tmp_path / "clip.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["video", str(source), "--model", str(model)]) == 2
    assert "video needs the extra video (PyAV is not installed): pip install" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.delattr(av.VideoStream, "set_display_matrix", raising=False)
    with pytest.raises(Exception, match=f"a newer PyAV than {av.__version__}"):
        pyav.pyav()


@pytest.mark.parametrize("verb", ["restore", "diagnose"])
def test_the_other_verbs_name_this_one(
    film: Film, model: Path, photo_file: Path, tmp_path: Path, capsys: Capture, verb: str
) -> None:
    source = film(tmp_path / "clip.mp4")
    assert main([verb, str(source), "--model", str(model)]) == 1
    assert capsys.readouterr().err == f"error: {source}: a video; use undegrade video{os.linesep}"
