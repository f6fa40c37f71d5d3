import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.diagnosis import Diagnosis, OwnJudge
from undegrade.errors import UndegradeError
from undegrade.inference.backend import Backend
from undegrade.inference.restorer import Restorer
from undegrade.inference.video.clip import expected_frames, read_clip
from undegrade.inference.video.restoration import (
    RestoredVideo,
    Wish,
    count_steps,
    default_target,
    restore_video,
)

Film = Callable[..., Path]
Pixels = NDArray[np.float32]
LOSSLESS = {"crf": "0"}


# libx264 does not always encode the same frames to the same bytes; what is to be compared is not encoded by it.
IN_FFV1: dict[str, Any] = {"codec": "ffv1", "options": {}}


class Lift(Backend):
    """Adds `more`; says `haze` where the picture is brighter in the mean than `limit`."""

    labels, size_multiple, name, multi_label = ("clean", "haze"), 16, "lift", False

    def __init__(self, more: float = 0.1, limit: float = 0.1) -> None:
        self.more, self.limit, self.seen = np.float32(more), limit, []

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        self.seen.append(image.shape[1:])
        return image + self.more, np.array([0, 40 * (image.mean() - self.limit)], np.float32)


def run(source: Path, target: Path, backend: Lift | None = None, **wishes: Any) -> RestoredVideo[Diagnosis]:
    restorer = Restorer(backend or Lift(), OwnJudge())
    return restore_video(restorer, read_clip(source), target, Wish(**wishes), model="lift")


def frames(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        return list(container.decode(container.streams.video[0]))


def times(path: Path) -> list[Fraction]:
    return [frame.pts * frame.time_base for frame in frames(path)]


def lumas(path: Path) -> NDArray[np.float32]:
    """(frames, H, W)."""
    planes = [frame.planes[0] for frame in frames(path)]
    wide = [np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width] for plane in planes]
    return np.stack(wide).astype(np.float32)


def others(path: Path) -> list[tuple[int, Fraction, Fraction, bytes]]:
    """What is beside the video: stream, time, duration, content."""
    with av.open(str(path)) as container:
        return sorted(
            (packet.stream_index, packet.pts * packet.time_base, packet.duration * packet.time_base, bytes(packet))
            for packet in container.demux()
            if packet.stream.type in ("audio", "subtitle") and packet.pts is not None and packet.size
        )


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_frames_are_restored_and_the_rest_is_copied(film: Film, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", sounds=2, subtitles="subrip")
    target = tmp_path / "b.mkv"
    done = run(source, target, longest=5)
    assert (done.codec, done.restored, done.segments, done.notes) == ("h264", 12, (3, 0), ())
    assert [shot.diagnosis.label for shot in done.shots] == ["haze"]
    assert times(target) == times(source)
    assert np.abs(lumas(target) - lumas(source) - 0.1 * 219).mean() < 1
    assert others(target) == others(source)
    assert len({stream for stream, *_ in others(target)}) == 3
    with av.open(str(target)) as made, av.open(str(source)) as given:
        assert made.metadata["title"] == "A film"
        assert [stream.type for stream in made.streams] == ["video", "audio", "audio", "subtitle"]
        assert [stream.language for stream in made.streams.audio] == ["deu", "deu"]
        assert made.chapters() == given.chapters()
        assert len(made.chapters()) == 1
    assert parts(tmp_path) == []


def test_mp4_keeps_its_words_and_the_way_up(film: Film, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", sounds=1, subtitles="mov_text", turn=90)
    target, backend = tmp_path / "b.mp4", Lift()
    done = run(source, target, backend, longest=5)
    assert done.notes == ()
    assert set(backend.seen) == {(64, 48)}  # the model sees it upright, the file stays 64 x 48
    assert (frames(target)[0].width, frames(target)[0].rotation) == (64, 90)
    assert times(target) == times(source)
    assert others(target) == others(source)


def test_fonts_and_covers_come_along_where_they_can(film: Film, tmp_path: Path) -> None:
    plain, cover = (
        film(tmp_path / "a.mp4", sounds=1),
        film(tmp_path / "c.mov", frames=1, codec="mjpeg", form="yuvj420p"),
    )
    with av.open(str(plain)) as given, av.open(str(tmp_path / "fonts.mkv"), "w") as out:
        copies = {stream.index: out.add_stream_from_template(stream, opaque=True) for stream in given.streams.get(0, 1)}
        out.add_attachment("font.ttf", "font/ttf", b"glyphs")
        for packet in given.demux(*given.streams.get(0, 1)):
            if packet.size:
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
    with av.open(str(cover)) as picture, av.open(str(plain)) as given, av.open(str(tmp_path / "cover.mp4"), "w") as out:
        first = out.add_stream_from_template(picture.streams.video[0], opaque=True)
        first.disposition = av.stream.Disposition.attached_pic
        copy = out.add_stream_from_template(given.streams.video[0], opaque=True)
        for source, made in ((picture.streams.video[0], first), (given.streams.video[0], copy)):
            for packet in source.container.demux(source):
                if packet.size:
                    packet.stream = made
                    out.mux(packet)
    assert run(tmp_path / "fonts.mkv", tmp_path / "b.mkv").notes == ()
    with av.open(str(tmp_path / "b.mkv")) as made:
        assert [stream.data for stream in made.streams if stream.type == "attachment"] == [b"glyphs"]
    assert run(tmp_path / "fonts.mkv", tmp_path / "b.mp4").notes == (
        "Stream 2 (attachment) was left out: .mp4 cannot hold it.",
    )
    assert run(tmp_path / "cover.mp4", tmp_path / "b.m4v").notes == ()
    with av.open(str(tmp_path / "b.m4v")) as made, av.open(str(tmp_path / "cover.mp4")) as given:
        assert [stream.codec_context.name for stream in made.streams] == ["h264", "mjpeg"]
        pictures = [next(container.demux(container.streams[1])) for container in (made, given)]
        assert bytes(pictures[0]) == bytes(pictures[1])
    assert times(tmp_path / "b.m4v") == times(plain)


def test_the_clock_of_a_broadcast_begins_at_nought(film: Film, tmp_path: Path) -> None:
    late = [50_000 + number for number in range(12)]
    source = film(tmp_path / "a.ts", times=late, sounds=1)
    run(source, tmp_path / "b.mp4", longest=5)
    with av.open(str(source)) as given:
        start = Fraction(given.start_time, 1_000_000)
    moved = [a - b for a, b in zip(times(source), times(tmp_path / "b.mp4"), strict=True)]
    assert len(set(moved)) == 1
    assert abs(moved[0] - start) < Fraction(1, 40)
    heard = [a[1] - b[1] for a, b in zip(others(source), others(tmp_path / "b.mp4"), strict=True)]
    assert all(abs(one - moved[0]) < Fraction(1, 1000) for one in heard)


@pytest.mark.parametrize("ending", [".mkv", ".mp4", ".mov"])
@pytest.mark.parametrize("first", [0, 700])
def test_variable_frame_rate_is_kept_to_the_tick(film: Film, tmp_path: Path, ending: str, first: int) -> None:
    clock = [first + tick for tick in (0, 7, 40, 41, 42, 300, 340, 341, 343, 900, 901, 1500, 1501, 1540, 1580)]
    source = film(tmp_path / f"a{ending}", times=clock, time_base=Fraction(1, 1000), sounds=1)
    target = tmp_path / f"b{ending}"
    for longest in (100, 4, 1):
        run(source, target, longest=longest, overwrite=True)
        assert times(target) == times(source)
        with av.open(str(target)) as container:
            packets = [p for p in container.demux(container.streams.video[0]) if p.size]
        assert all(a.dts < b.dts for a, b in pairwise(packets) if None not in (a.dts, b.dts))
        assert all(packet.dts <= packet.pts for packet in packets if packet.dts is not None)


@pytest.mark.parametrize(
    ("codec", "form", "tags"),
    [
        ("libx264", "yuv420p", (1, 6, 6, 6)),
        ("libx264", "yuv420p", (2, 5, 5, 6)),
        ("libx264", "yuv422p", (1, 1, 1, 1)),
        ("libx264", "yuv444p", (2, 1, 1, 13)),
        ("libx264", "yuv420p10le", (1, 9, 9, 14)),
        ("libx264", "yuv422p10le", (2, 9, 9, 14)),
        ("libx265", "yuv420p10le", (1, 1, 1, 1)),
    ],
)
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_colours_come_through_as_they_are(
    film: Film, tmp_path: Path, codec: str, form: str, tags: tuple[int, ...], ending: str
) -> None:
    options = {"x265-params": "log-level=none:lossless=1"} if codec == "libx265" else {"qp": "0"}
    size = (128, 96) if codec == "libx265" else (64, 48)
    source = film(tmp_path / f"a{ending}", frames=3, size=size, codec=codec, form=form, tags=tags, options=options)
    run(source, tmp_path / "same.mkv", Lift(more=0), codec="ffv1")
    target = tmp_path / f"b{ending}"
    done = run(source, target, Lift(more=0), crf=4)
    assert done.restored == 3  # not left alone: nothing was changed, and that was written
    for before, same, after in zip(frames(source), frames(tmp_path / "same.mkv"), frames(target), strict=True):
        assert {frame.format.name.replace("yuvj", "yuv") for frame in (before, same, after)} == {form}
        for frame in (before, after):
            assert (frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc) == tags
        for planes in zip(before.planes, same.planes, after.planes, strict=True):
            dtype = np.uint16 if "10" in form else np.uint8
            old, kept, new = (
                np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width].astype(int) for plane in planes
            )
            assert np.array_equal(old, kept)
            assert np.abs(old - new).mean() < 1 * (4 if "10" in form else 1)


def test_shots_are_judged_as_a_whole(film: Film, tmp_path: Path) -> None:
    def level(number: int) -> float:
        # The first shot is dark; the second one bright in the mean, though some of its frames are dark.
        return 0.25 if number < 20 else 0.4 if number % 5 == 0 else 0.55

    source = film(tmp_path / "a.mkv", frames=40, shots=(0, 20), level=level, options=LOSSLESS)
    target = tmp_path / "b.mkv"
    done = run(source, target, Lift(limit=0.45), crf=0, longest=7)
    assert [(s.shot.first, s.shot.count, s.diagnosis.label) for s in done.shots] == [(0, 20, "clean"), (20, 20, "haze")]
    assert [s.start for s in done.shots] == [0, 0.8]
    assert done.restored == 20
    change = (lumas(target) - lumas(source)).mean((1, 2))
    assert np.abs(change[:20]).max() == 0
    np.testing.assert_allclose(change[20:], 22, atol=1)  # every frame of it


def test_what_is_well_is_copied(film: Film, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", sounds=1)
    done = run(source, tmp_path / "b.mp4", Lift(limit=2))
    assert (done.codec, done.restored) == (None, 0)
    assert (tmp_path / "b.mp4").read_bytes() == source.read_bytes()
    run(source, tmp_path / "b.mkv", Lift(limit=2))  # another container: the packets as they are
    assert np.array_equal(lumas(tmp_path / "b.mkv"), lumas(source))
    assert parts(tmp_path) == []


@pytest.mark.parametrize(
    ("given", "codec", "form", "options", "ending", "written"),
    [
        ("a.avi", "mpeg4", "yuv420p", {"bf": "2", "qscale": "2"}, ".mkv", "h264"),
        ("a.webm", "libvpx-vp9", "yuv420p", {"crf": "20"}, ".webm", "av1"),
        ("a.mkv", "libsvtav1", "yuv420p10le", {"crf": "20", "preset": "12"}, ".mp4", "av1"),
        ("a.mkv", "libx265", "yuv420p", {"x265-params": "log-level=none"}, ".mp4", "hevc"),
        ("a.mkv", "ffv1", "yuv422p10le", {}, ".mkv", "ffv1"),
        ("a.mkv", "ffv1", "gray", {}, ".mp4", "h264"),
        ("a.mkv", "ffv1", "bgr0", {}, ".mp4", "h264"),
        ("a.mov", "mjpeg", "yuvj420p", {}, ".mp4", "h264"),
    ],
)
def test_codecs_and_containers(
    film: Film,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    given: str,
    codec: str,
    form: str,
    options: dict[str, str],
    ending: str,
    written: str,
) -> None:
    os.environ["SVT_LOG"] = "1"
    source = film(tmp_path / given, size=(128, 96), codec=codec, form=form, options=options)
    before, target = frames(source), tmp_path / f"b{ending}"
    capfd.readouterr()
    done = run(source, target, longest=5)
    assert capfd.readouterr() == ("", "")  # encoders are talkative
    after = frames(target)
    assert done.codec == written
    assert len(after) == 12
    assert times(target) == times(source)
    rgb = [np.stack([f.reformat(format="rgb24").to_ndarray() for f in film]) for film in (before, after)]
    assert np.abs(rgb[1].astype(float).mean((0, 1, 2)) - rgb[0].mean((0, 1, 2)) - 25.5).max() < 4


def test_odd_sides_keep_their_chroma_at_full_size_in_h264(film: Film, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", size=(65, 49), codec="ffv1", options={})
    done = run(source, tmp_path / "b.mp4")
    after = frames(tmp_path / "b.mp4")[0]
    assert (after.width, after.height, after.format.name) == (65, 49, "yuv444p")
    assert done.notes == ("The codec cannot halve the chroma of odd sides: it was written at full size.",)
    assert frames_form(source, tmp_path / "c.mkv") == "yuv420p"


def frames_form(source: Path, target: Path) -> str:
    run(source, target)
    return str(frames(target)[0].format.name)


def test_a_frame_that_is_shown_again_is_not_restored_again(film: Film, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", codec="ffv1", options={})
    with av.open(str(tmp_path / "still.mkv"), "w") as out:
        video = out.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number, frame in enumerate([frames(source)[0]] * 6 + [frames(source)[1]] * 6):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    backend = Lift()
    run(tmp_path / "still.mkv", tmp_path / "b.mkv", backend)
    assert len(backend.seen) == 3 + 2  # three to judge, two to restore
    assert len(np.unique(lumas(tmp_path / "b.mkv"), axis=0)) == 2


class Interrupted(Lift):
    """Fails at the `last` picture."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.last = last

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        if len(self.seen) == self.last:
            raise KeyboardInterrupt
        return super().run(image, context)


def test_an_interrupted_run_goes_on(film: Film, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", frames=30, sounds=1, **IN_FFV1)
    run(source, tmp_path / "whole.mkv", longest=8)
    target = tmp_path / "b.mkv"
    for last, kept in ((2, []), (20, ["0", "7", "15"][:2])):
        with pytest.raises(KeyboardInterrupt):
            run(source, target, Interrupted(last), longest=8)
        assert not target.exists()
        (folder, *rest) = list(tmp_path.glob(".b.mkv.*.parts")) or [tmp_path / "none"]
        assert rest == []
        assert sorted(path.stem.removeprefix("segment-") for path in folder.glob("segment-*.json")) == kept
    backend = Lift()
    done = run(source, target, backend, longest=8)
    assert done.segments == (4, 2)
    assert done.restored == len(backend.seen) == 15  # not judged again either
    assert np.array_equal(lumas(target), lumas(tmp_path / "whole.mkv"))
    assert times(target) == times(tmp_path / "whole.mkv") == times(source)
    assert others(target) == others(source)
    assert parts(tmp_path) == []


def test_a_damaged_segment_is_made_anew_and_another_job_begins_anew(film: Film, tmp_path: Path) -> None:
    source, target = film(tmp_path / "a.mkv", frames=30), tmp_path / "b.mkv"
    with pytest.raises(KeyboardInterrupt):
        run(source, target, Interrupted(20), longest=8)
    (data,) = tmp_path.glob(".b.mkv.*.parts/segment-7.packets")
    data.write_bytes(data.read_bytes()[:-1] + b"\0")
    with pytest.raises(KeyboardInterrupt):
        run(source, target, Interrupted(2), longest=8, crf=30)  # leaves nothing, as it got nowhere
    assert len(parts(tmp_path)) == 1
    done = run(source, target, longest=8)
    assert done.segments == (4, 1)
    assert parts(tmp_path) == []


def test_the_parts_of_other_attempts_go_with_the_finished_one(film: Film, tmp_path: Path) -> None:
    source, target = film(tmp_path / "a.mkv", frames=30), tmp_path / "b[1].mkv"
    for crf in (20, 21):
        with pytest.raises(KeyboardInterrupt):
            run(source, target, Interrupted(20), longest=8, crf=crf)
    (tmp_path / ".b1.mkv.0.parts").mkdir()  # of another target
    assert len(parts(tmp_path)) == 3
    run(source, target, longest=8)
    assert parts(tmp_path) == [".b1.mkv.0.parts"]


SCRIPT = """
    import sys, time
    from pathlib import Path
    import numpy as np
    from undegrade.diagnosis import OwnJudge
    from undegrade.inference.backend import Backend
    from undegrade.inference.restorer import Restorer
    from undegrade.inference.video.clip import read_clip
    from undegrade.inference.video.restoration import Wish, restore_video

    class Slow(Backend):
        labels, size_multiple, name, multi_label = ("clean", "haze"), 16, "lift", False
        def run(self, image, context=None):
            time.sleep(0.02)
            return image + np.float32(0.1), np.array([0, 4], np.float32)

    clip = read_clip(Path(sys.argv[1]))
    done = restore_video(Restorer(Slow(), OwnJudge()), clip, Path(sys.argv[2]), Wish(longest=8), model="lift")
    print(done.segments[1])
"""


def _finished(folder: Path) -> int:
    return len(list(folder.glob(".b.mkv.*.parts/segment-*.json")))


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_frames(film: Film, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", frames=60, sounds=1, **IN_FFV1)
    run(source, tmp_path / "whole.mkv", longest=8)
    target = tmp_path / "b.mkv"
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(source), str(target)]
    for goal in (0, 1, 2, 2, 4):  # at the beginning, and as soon as so many of the eight segments are finished
        process = subprocess.Popen(command)
        while _finished(tmp_path) < goal and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        assert not target.exists()
    last = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(last.stdout) >= 4
    assert np.array_equal(lumas(target), lumas(tmp_path / "whole.mkv"))
    assert times(target) == times(source)
    assert others(target) == others(source)
    assert parts(tmp_path) == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_clip(film: Film, tmp_path: Path) -> None:
    script = """
        import resource, sys
        from pathlib import Path
        import numpy as np
        from undegrade.diagnosis import OwnJudge
        from undegrade.inference.backend import Backend
        from undegrade.inference.restorer import Restorer
        from undegrade.inference.video.clip import read_clip
        from undegrade.inference.video.restoration import Wish, restore_video

        class Lift(Backend):
            labels, size_multiple, name, multi_label = ("clean", "haze"), 16, "lift", False
            def run(self, image, context=None):
                return image + np.float32(0.1), np.array([0, 4], np.float32)

        clip = read_clip(Path(sys.argv[1]))
        restore_video(Restorer(Lift(), OwnJudge()), clip, Path(sys.argv[2]), Wish(), model="lift")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    peaks = []
    for count in (130, 700):
        # Frames of 0.1 MB, so that 570 more of them would be 59 MB, and as much again as floats.
        source = film(tmp_path / f"{count}.mkv", frames=count, size=(320, 224), options={"preset": "ultrafast"})
        command = [sys.executable, "-c", textwrap.dedent(script), str(source), str(tmp_path / f"{count}.b.mkv")]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert peaks[1] - peaks[0] < 15_000  # KiB


def refused(source: Path, target: Path, **wishes: Any) -> str:
    before = sorted(source.parent.iterdir())
    with pytest.raises(UndegradeError) as caught:
        run(source, target, **wishes)
    assert sorted(source.parent.iterdir()) == before  # nothing half-written
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_that_are_no_video(film: Film, tmp_path: Path) -> None:
    missing, empty, text = (tmp_path / name for name in ("missing.mp4", "empty.mp4", "text.mp4"))
    empty.touch()
    text.write_text("not a video" * 50)
    sound = tmp_path / "sound.m4a"
    with av.open(str(sound), "w", format="mp4") as out:
        tone = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        out.mux(tone.encode(frame))
        out.mux(tone.encode(None))
    target = tmp_path / "b.mp4"
    assert refused(missing, target).endswith("missing.mp4: no such file; check the name")
    assert "the file is empty (0 bytes)" in refused(empty, target)
    assert "not a video, or cut short or damaged" in refused(text, target)
    assert "has no video stream, only audio" in refused(sound, target)
    assert "a folder; expected a video file" in refused(tmp_path, tmp_path.parent / "b.mp4")


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_files_that_are_cut_short(film: Film, tmp_path: Path, ending: str) -> None:
    source = film(tmp_path / f"a{ending}", frames=100, sounds=1)
    data = source.read_bytes()
    (tmp_path / f"cut{ending}").write_bytes(data[: len(data) * 2 // 5])
    assert "cut short" in refused(tmp_path / f"cut{ending}", tmp_path / f"b{ending}")


def test_targets_that_cannot_be(film: Film, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", sounds=1)
    (tmp_path / "there.mkv").write_text("mine")
    (tmp_path / "link.mkv").symlink_to(source)
    assert "is the input; originals are never overwritten" in refused(source, source, overwrite=True)
    assert "is the input; originals are never overwritten" in refused(source, tmp_path / "link.mkv", overwrite=True)
    assert "exists already; --overwrite replaces it" in refused(source, tmp_path / "there.mkv")
    assert "unknown ending '.avi'; expected one of .mp4" in refused(source, tmp_path / "b.avi")
    assert "create it, or choose another output" in refused(source, tmp_path / "no" / "b.mkv")
    assert "cannot hold stream 1, audio in aac; name the output .mkv" in refused(source, tmp_path / "b.webm")
    assert (tmp_path / "there.mkv").read_text() == "mine"
    run(source, tmp_path / "there.mkv", overwrite=True)
    assert len(frames(tmp_path / "there.mkv")) == 12


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to(film: Film, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv")
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o555)
    assert "cannot be written (Permission denied)" in refused(source, shut / "b.mkv")


def test_codecs_that_cannot_be(film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = film(tmp_path / "a.mkv"), tmp_path / "b.mkv"
    assert "codec: divx; expected one of h264, hevc, av1, vp9, ffv1" in refused(source, target, codec="divx")
    assert "libx265 needs sides of 96 at least" in refused(source, target, codec="hevc")
    assert "h264 does not fit into .webm; name the output .mp4" in refused(source, tmp_path / "b.webm", codec="h264")
    assert "crf: 60; h264 takes 0 (best) to 51" in refused(source, target, crf=60)
    assert "crf: 1; ffv1 takes none, it is lossless" in refused(source, target, codec="ffv1", crf=1)
    there = av.Codec

    def without(name: str, mode: str = "r") -> Any:
        if name == "libx264":
            raise ValueError(name)
        return there(name, mode)

    monkeypatch.setattr(av, "Codec", without)
    message = refused(source, target, codec="h264")
    assert "codec: h264 needs libx264, which this FFmpeg has not; it has hevc, av1, vp9, ffv1" in message


@pytest.mark.parametrize(("transfer", "named"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused(film: Film, tmp_path: Path, transfer: int, named: str) -> None:
    source = film(tmp_path / "a.mp4", form="yuv420p10le", tags=(1, 9, 9, transfer))
    assert f"HDR video ({named}); the models know standard dynamic range only" in refused(source, tmp_path / "b.mp4")


def test_interlaced_frames_are_refused(film: Film, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", options={"flags": "+ilme+ildct", "x264-params": "tff=1"})
    assert "frame 0 is interlaced; deinterlace the clip first" in refused(source, tmp_path / "b.mkv")


def test_names_and_numbers_before_the_work(film: Film, tmp_path: Path) -> None:
    assert default_target(Path("x/clip.MP4")) == Path("x/clip.restored.MP4")
    assert default_target(Path("clip.avi")) == Path("clip.restored.mkv")
    source = film(tmp_path / "a.mp4", frames=20)
    assert expected_frames(source) == 20
    assert expected_frames(film(tmp_path / "a.mkv", frames=20)) == 20
    clip, told, seen = read_clip(source), list[int](), list[int]()
    restorer = Restorer(Lift(), OwnJudge())
    restore_video(restorer, clip, tmp_path / "b.mp4", Wish(), model="", on_step=told.append)
    assert told == list(range(0, count_steps(clip) + 1))
    read_clip(source, seen.append)
    assert seen == list(range(1, 21))
