"""What a clip is: its colours, its times, its shots, and whether it can be restored at all."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.inference.video.colour import MATRICES
from undegrade.inference.video.shots import THUMBNAIL, Shot, ShotFinder
from undegrade.inference.video.source import decoded, main_stream, opened

FULL = 2  # FFmpeg's number of the full range
UNKNOWN = (0, 2)  # H.273: reserved, unspecified
HDR = {16: "PQ", 18: "HLG"}  # transfer functions, by H.273's number
DOLBY_VISION = {"DOVI_METADATA", "DOVI_RPU_BUFFER"}
MISSING = 1.0  # seconds that a clip may end before the time its header says, or a twentieth of that


@dataclass(frozen=True, kw_only=True)
class Tags:
    """What a clip says about its colours, by FFmpeg's numbers; written to the result as they are."""

    range: int
    matrix: int
    primaries: int
    transfer: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """What is known of a clip once all of its frames were decoded.

    Args:
        path: of the file.
        stream: number of the video stream that is restored.
        codec: its name, such as "h264".
        form: FFmpeg's name of the pixel format.
        width: pixels.
        height: pixels.
        tags: of its colours.
        time_base: seconds of one tick.
        rate: frames a second, the mean.
        aspect: width of a pixel divided by its height; None where not stated.
        matrix: the display matrix, nine numbers in FFmpeg's fixed point; None without one.
        turns: quarter turns, counterclockwise, that make a frame upright.
        times: when each frame is shown, in ticks, rising.
        last: how long the last frame is shown, in ticks.
        shots: of all frames.
        notes: what is odd about it, one sentence each.
    """

    path: Path
    stream: int
    codec: str
    form: str
    width: int
    height: int
    tags: Tags
    time_base: Fraction
    rate: Fraction
    aspect: Fraction | None
    matrix: tuple[int, ...] | None
    turns: int
    times: array[int]
    last: int
    shots: tuple[Shot, ...]
    notes: tuple[str, ...]

    def duration(self, time: int) -> int:
        """How long the frame that is shown at this time is shown, in ticks."""
        after = bisect_right(self.times, time)
        return self.times[after] - time if after < len(self.times) else self.last

    def seconds(self, first: int, count: int) -> float:
        """How long these frames are shown."""
        end = first + count
        until = self.times[end] if end < len(self.times) else self.times[-1] + self.last
        return float((until - self.times[first]) * self.time_base)


def read_clip(path: Path, on_frame: Callable[[int], None] = lambda done: None) -> Clip:
    """Decode the whole clip once and find out what it is.

    Raises:
        UndegradeError: it is no video, cut short, damaged, HDR, interlaced, or of changing size.
    """
    with opened(path) as container:
        stream = main_stream(container, path)
        ends = _Ends(container)
        shots, times, notes = ShotFinder(), array("q"), set[str]()
        first: Any = None
        last = 1
        for number, frame in enumerate(decoded(container, stream, path, ends.see)):
            if first is None:
                first = frame
                tags = _tags(frame, stream.codec_context, path)
            _check_frame(frame, first, number, path)
            times.append(_time(frame, times, last, notes))
            last = frame.duration or last
            shots.see(_thumbnail(frame))
            on_frame(number + 1)
        if first is None:
            raise UndegradeError(f"{path}: not one frame can be decoded; play it to find out")
        notes.update(ends.check(path))
        matrix = _display_matrix(first)
        return Clip(
            path=path,
            stream=stream.index,
            codec=stream.codec_context.codec.canonical_name,
            form=first.format.name,
            width=first.width,
            height=first.height,
            tags=tags,
            time_base=stream.time_base,
            rate=_rate(stream, times),
            aspect=stream.sample_aspect_ratio or None,
            matrix=matrix,
            turns=round(first.rotation / 90) % 4 if matrix else 0,
            times=times,
            last=last,
            shots=tuple(shots.shots()),
            notes=tuple(sorted(notes)),
        )


def expected_frames(path: Path) -> int:
    """About how many frames the file holds, by its header; 0 where it does not say. Errors as for `read_clip`."""
    with opened(path) as container:
        stream = main_stream(container, path)
        by_time = (container.duration or 0) / 1e6 * float(stream.average_rate or 0)
        return int(stream.frames or round(by_time))


def _tags(frame: Any, context: Any, path: Path) -> Tags:
    """The colours' tags; those of the file's header where the frame has none.

    Raises:
        UndegradeError: the clip is HDR, or its matrix is one that undegrade does not know.
    """

    def known(of_frame: int, of_header: int) -> int:
        return int(of_header if of_frame in UNKNOWN and of_header not in UNKNOWN else of_frame)

    tags = Tags(
        range=FULL if frame.format.name.startswith("yuvj") else int(frame.color_range or context.color_range),
        matrix=known(frame.colorspace, context.colorspace),
        primaries=known(frame.color_primaries, context.color_primaries),
        transfer=known(frame.color_trc, context.color_trc),
    )
    if tags.transfer in HDR or any(data.type.name in DOLBY_VISION for data in frame.side_data):
        raise UndegradeError(
            f"{path}: HDR video ({HDR.get(tags.transfer, 'Dolby Vision')}); the models know standard dynamic range "
            "only, convert it to SDR first"
        )
    if not frame.format.is_rgb and tags.matrix not in (*UNKNOWN, *MATRICES):
        raise UndegradeError(f"{path}: YCbCr matrix {tags.matrix} (H.273) is not supported; convert it to BT.709 first")
    return tags


def _rate(stream: Any, times: array[int]) -> Fraction:
    """Frames a second: what the header says, unless the frames say otherwise, as in many recordings of screens."""
    said = Fraction(stream.average_rate or 0)
    if len(times) < 2:
        return said or Fraction(25)
    counted = (len(times) - 1) / ((times[-1] - times[0]) * Fraction(stream.time_base))
    return said if abs(said - counted) < counted / 50 else counted.limit_denominator(1000) or Fraction(1, 1000)


def _check_frame(frame: Any, first: Any, number: int, path: Path) -> None:
    """Refuse what later passes could not handle."""
    now, before = ((f.width, f.height, f.format.name) for f in (frame, first))
    if now != before:
        raise UndegradeError(
            f"{path}: frame {number} is {now[0]} x {now[1]} {now[2]}, the first one {before[0]} x {before[1]} "
            f"{before[2]}; cut the clip there and restore the parts"
        )
    if frame.interlaced_frame:
        raise UndegradeError(
            f"{path}: frame {number} is interlaced; deinterlace the clip first, with ffmpeg -vf bwdif for example"
        )


def _time(frame: Any, times: array[int], step: int, notes: set[str]) -> int:
    """When the frame is shown, in ticks, always after the frame before."""
    if frame.pts is None:
        notes.add("Some frames had no time of their own: they follow at the usual distance.")
        return times[-1] + max(1, step) if times else 0
    if times and frame.pts <= times[-1]:
        notes.add("Some frames were not shown after the one before: they are now, one tick later.")
        return times[-1] + 1
    return int(frame.pts)


def _thumbnail(frame: Any) -> NDArray[np.uint8]:
    height, width = THUMBNAIL
    small = frame.reformat(width=width, height=height, format="gray", interpolation="AREA")
    return np.asarray(small.to_ndarray(), np.uint8)


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    """How a player has to turn or mirror the frames."""
    data = frame.side_data.get("DISPLAYMATRIX")
    return None if data is None else tuple(int(n) for n in np.frombuffer(bytes(data), np.int32))


class _Ends:
    """When the packets of a file end, to be compared with what its header says."""

    def __init__(self, container: Any) -> None:
        # Others write no length; what FFmpeg says of it is then a guess.
        self._sure = any(name in container.format.name for name in ("mov", "matroska"))
        self._said = 0.0 if container.duration is None else container.duration / 1e6
        self._start = (container.start_time or 0) / 1e6
        self._end = self._start

    def see(self, packet: Any) -> None:
        """The next packet."""
        if packet.pts is not None:
            self._end = max(self._end, float((packet.pts + (packet.duration or 0)) * packet.time_base))

    def check(self, path: Path) -> list[str]:
        """Notes on a file that ends too early.

        Raises:
            UndegradeError: it certainly does.
        """
        held = self._end - self._start
        if self._said - held <= max(MISSING, self._said / 20):
            return []
        if not self._sure:
            return [f"It holds {held:.1f} seconds, and {self._said:.1f} were expected: it may be cut short."]
        raise UndegradeError(
            f"{path}: cut short, holds {held:.1f} of {self._said:.1f} seconds; copy it again from its source, or "
            "save what can be played into a new file first"
        )
