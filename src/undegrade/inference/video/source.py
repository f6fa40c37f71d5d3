"""A video file: opened, and its frames one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.inference.video.pyav import pyav


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file as PyAV's input container.

    Raises:
        UndegradeError: it cannot be opened, or (inside the block) its data cannot be read.
    """
    av = pyav()
    if path.is_dir():
        raise UndegradeError(f"{path}: a folder; expected a video file")
    if not path.exists():
        raise UndegradeError(f"{path}: no such file; check the name")
    if path.stat().st_size == 0:
        raise UndegradeError(f"{path}: the file is empty (0 bytes); copy it again from its source")
    try:
        container = av.open(str(path), metadata_errors="replace")
    except PermissionError:
        raise UndegradeError(f"{path}: no permission to read it; change its access rights, or copy it") from None
    except (av.FFmpegError, ValueError, OSError):
        raise UndegradeError(f"{path}: not a video, or cut short or damaged; play it to find out") from None
    with container:
        yield container


def main_stream(container: Any, path: Path) -> Any:
    """The video stream that is restored: the first that is not a cover picture.

    Raises:
        UndegradeError: there is none, or its codec is unknown to this FFmpeg.
    """
    av = pyav()
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        held = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise UndegradeError(f"{path}: has no video stream, only {held}; expected a video file")
    if streams[0].codec_context is None:
        raise UndegradeError(f"{path}: its video codec is not known to this FFmpeg; convert it to H.264 first")
    return streams[0]


def decoded(container: Any, stream: Any, path: Path, on_packet: Callable[[Any], None] | None = None) -> Iterator[Any]:
    """The stream's frames, in the order they are shown.

    Args:
        container: where it lies.
        stream: of the container.
        path: for errors.
        on_packet: told each packet of every stream; without it only this stream is read.

    Raises:
        UndegradeError: the data is damaged.
    """
    av = pyav()
    stream.thread_type = "AUTO"
    wanted = [stream] if on_packet is None else list(container.streams)
    shown = 0
    try:
        for packet in container.demux(*wanted):
            if on_packet is not None:
                on_packet(packet)
            if packet.stream.index != stream.index:  # stream_index is 0 in the marks of an end
                continue
            for frame in packet.decode():
                yield frame
                shown += 1
    except av.FFmpegError as error:
        what = " ".join(str(error.strerror).split())
        raise UndegradeError(
            f"{path}: cut short or damaged after frame {shown} ({what}); copy it again from its source, or save what "
            "can be played into a new file first"
        ) from None
