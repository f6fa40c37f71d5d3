"""The result's file: the restored frames, and everything else of the input copied beside them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.inference.video.clip import Clip
from undegrade.inference.video.encoding import ENDINGS, Plan, configure
from undegrade.inference.video.ledger import Ledger
from undegrade.inference.video.pyav import pyav
from undegrade.inference.video.shots import Shot
from undegrade.inference.video.source import opened

# What containers say about themselves, or encoders about their work; it would not be true of the result.
OWN_WORDS = {"major_brand", "minor_version", "compatible_brands", "encoder"}
STATISTICS = ("BPS", "DURATION", "NUMBER_OF_", "_STATISTICS_")
MICROSECONDS = 1_000_000  # the unit of a container's own times
MATROSKA = ".mkv"  # holds attachments, such as fonts for subtitles
HOLD_COVERS = (".mp4", ".m4v", ".mov")  # as pictures of their own
GAP = b"\0\0"  # between two subtitles in MP4


def write_result(clip: Clip, plan: Plan | None, segments: Sequence[Shot], ledger: Ledger, path: Path) -> None:
    """String the segments together, with all that the input holds beside its frames.

    Args:
        clip: the input.
        plan: how the segments were encoded; None: the frames are copied as they are.
        segments: all of them finished, in order.
        ledger: holds them.
        path: of the file.

    Raises:
        UndegradeError: the container cannot hold a stream, or the file cannot be written.
    """
    with _result(clip, plan, path) as (source, result, video, copied):
        start = _start(source)
        frames = iter(()) if plan is None else _frames(clip, segments, ledger, video, start)
        for _, packet in heapq.merge(frames, _copies(source, copied, start), key=lambda timed: timed[0]):
            result.mux_one(packet)


def check_result(clip: Clip, plan: Plan, path: Path) -> None:
    """Find out before the work, by a file without frames, whether `write_result` will find everything to its liking.

    Raises:
        UndegradeError: the container cannot hold a stream, or the encoder refuses.
    """
    with _result(clip, plan, path):
        pass
    path.unlink()


@contextmanager
def _result(clip: Clip, plan: Plan | None, path: Path) -> Iterator[tuple[Any, Any, Any, dict[int, Any]]]:
    """The input and the result, both open, the result's restored stream, and its others by their input's number."""
    av = pyav()
    form = ENDINGS[path.suffix.lower()]
    with opened(clip.path) as source:
        # Words of Apple's own are only kept in a list that some players overlook, so it is not used without need.
        apple = form in ("mov", "mp4") and any(key.startswith("com.apple.") for key in source.metadata)
        options = {"movflags": "use_metadata_tags"} if apple else {}
        try:
            with av.open(str(path), "w", format=form, container_options=options) as result:
                video, copied = _lay_out(source, result, clip, plan, path)
                result.start_encoding()
                yield source, result, video, copied
        except (av.FFmpegError, OSError) as error:
            raise UndegradeError(
                f"{clip.path}: cannot be written as {path.suffix} ({error.strerror}); check the disk, or choose .mkv, "
                "which holds most"
            ) from None


def left_out(clip: Clip, ending: str) -> tuple[str, ...]:
    """What of the input the result will not have, or will have unrestored, one sentence each."""
    with opened(clip.path) as source:
        notes = []
        for stream in source.streams:
            if stream.type == "video" and stream.index != clip.stream and not _is_cover(stream):
                notes.append(f"Stream {stream.index}, a second video, was copied as it is.")
            elif not _kept(stream, clip, ending) and not (stream.type == "data" and source.chapters()):
                notes.append(f"Stream {stream.index} ({stream.type}) was left out: {ending} cannot hold it.")
        return tuple(notes)


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & pyav().stream.Disposition.attached_pic)


def _kept(stream: Any, clip: Clip, ending: str) -> bool:
    """Whether the stream comes into the result."""
    if stream.type == "attachment":
        return ending == MATROSKA
    if _is_cover(stream):
        return ending in HOLD_COVERS
    return stream.type in ("video", "audio", "subtitle") and stream.codec_context is not None


def _lay_out(source: Any, result: Any, clip: Clip, plan: Plan | None, path: Path) -> tuple[Any, dict[int, Any]]:
    """Create the streams of the result in the order of the input."""
    video: Any = None
    copied: dict[int, Any] = {}
    for stream in source.streams:
        if not _kept(stream, clip, path.suffix.lower()):
            continue
        restored = plan is not None and stream.index == clip.stream
        if plan is not None and restored:
            made = video = result.add_stream(plan.codec.encoder, rate=clip.rate)
            configure(made.codec_context, clip, plan)
            made.time_base = clip.time_base
        else:
            made = copied[stream.index] = _copy_of(stream, result, path)
        if stream.index == clip.stream and clip.matrix:
            made.set_display_matrix(list(clip.matrix))
        made.disposition = stream.disposition
        made.metadata.update(
            (key, value)
            for key, value in stream.metadata.items()
            if key.lower() not in OWN_WORDS and not (restored and key.startswith(STATISTICS))
        )
    result.metadata.update((key, value) for key, value in source.metadata.items() if key.lower() not in OWN_WORDS)
    result.set_chapters(source.chapters())
    return video, copied


def _copy_of(stream: Any, result: Any, path: Path) -> Any:
    """A stream of the result that takes this stream's packets.

    Raises:
        UndegradeError: the container cannot hold them.
    """
    try:
        return result.add_stream_from_template(stream, opaque=True)
    except ValueError:
        others = dict.fromkeys((".mkv", Path(stream.container.name).suffix.lower()))
        better = " or ".join(ending for ending in others if ending in ENDINGS and ending != path.suffix.lower())
        raise UndegradeError(
            f"{path.suffix}: cannot hold stream {stream.index}, {stream.type} in {stream.codec_context.codec.name}; "
            f"name the output {better or '.mp4'}"
        ) from None


def _start(source: Any) -> Fraction:
    """What is taken off all times, in seconds: the clock of a broadcast, which may have run for hours; else nothing."""
    broadcast = source.format.flags & pyav().format.Flags.ts_discont.value
    return Fraction(source.start_time or 0, MICROSECONDS) if broadcast else Fraction(0)


def _frames(
    clip: Clip, segments: Sequence[Shot], ledger: Ledger, stream: Any, start: Fraction
) -> Iterator[tuple[float, Any]]:
    """The restored packets with their decoding times in seconds.

    Each segment's frames are complete, so the whole list of times, moved by how far frames are reordered at most, is a
    rising list of decoding times, none of them later than the packet's own time.
    """
    delay = max(_reordering(ledger, segment, clip) for segment in segments)
    step = max(1, round(1 / (clip.rate * clip.time_base)))
    number, early = 0, round(start / clip.time_base)
    for segment in segments:
        packets = ledger.packets(segment.first)
        for packet, data in zip(packets, ledger.read(segment.first, packets), strict=True):
            made = pyav().Packet(data)
            made.stream, made.time_base = stream, clip.time_base
            made.pts = packet.time - early
            decoded = clip.times[number - delay] if number >= delay else clip.times[0] - (delay - number) * step
            made.dts = decoded - early
            made.duration = clip.duration(packet.time)
            made.is_keyframe = packet.key
            yield float(made.dts * clip.time_base), made
            number += 1


def _reordering(ledger: Ledger, segment: Shot, clip: Clip) -> int:
    """By how many places a packet of the segment comes later than its frame is shown."""
    times = [packet.time for packet in ledger.packets(segment.first)]
    place = {time: number for number, time in enumerate(sorted(times))}
    return max(number - place[time] for number, time in enumerate(times))


def _copies(source: Any, copied: dict[int, Any], start: Fraction) -> Iterator[tuple[float, Any]]:
    """The packets that are copied, with their decoding times in seconds."""
    before = float("-inf")
    wanted = [stream for stream in source.streams if stream.index in copied and stream.type != "attachment"]
    for packet in source.demux(*wanted) if wanted else ():
        if packet.size == 0 and packet.dts is None:
            continue  # the mark that a stream has ended
        if bytes(packet) == GAP and packet.stream.codec_context.name == "mov_text":
            continue  # the muxer writes them itself
        early = round(start / packet.time_base)
        if packet.pts is not None:
            packet.pts -= early
        if packet.dts is not None:
            packet.dts -= early
        time = packet.dts if packet.dts is not None else packet.pts
        if time is not None:
            before = float(time * packet.time_base)
        packet.stream = copied[packet.stream_index]
        yield before, packet
