"""The codecs that results are written in, and the encoding of one segment."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from undegrade.errors import UndegradeError
from undegrade.inference.video.clip import Clip
from undegrade.inference.video.colour import Planes
from undegrade.inference.video.frames import BT709, LIMITED, Form, choose_form, frame_of
from undegrade.inference.video.pyav import pyav

ENDINGS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}  # FFmpeg's names
NOT_WEBM = tuple(ENDINGS)[:-1]


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A way to write video.

    Args:
        encoder: FFmpeg's name.
        crf: constant rate factor unless another is asked for, near lossless to the eye; None: the codec is lossless.
        worst: the highest constant rate factor.
        smallest: side in pixels below which the encoder fails.
        halves_odd: whether it can halve the chroma of odd sides.
        endings: of the files that hold it.
        options: of the encoder.
    """

    encoder: str
    crf: int | None
    worst: int = 51
    smallest: int = 2
    halves_odd: bool = False
    endings: tuple[str, ...] = NOT_WEBM
    options: dict[str, str] = field(default_factory=dict)


CODECS = {
    "h264": Codec(encoder="libx264", crf=16),
    # On frames of a single 64-pixel block along a side, x265 reads and writes beyond its memory.
    "hevc": Codec(encoder="libx265", crf=16, smallest=96, options={"x265-params": "log-level=none"}),
    "av1": Codec(
        encoder="libsvtav1",
        crf=18,
        worst=63,
        smallest=64,
        halves_odd=True,
        endings=tuple(ENDINGS),
        options={"preset": "6"},
    ),
    "vp9": Codec(
        encoder="libvpx-vp9",
        crf=16,
        worst=63,
        halves_odd=True,
        endings=tuple(ENDINGS),
        options={"row-mt": "1", "cpu-used": "2"},
    ),
    "ffv1": Codec(encoder="ffv1", crf=None, halves_odd=True, endings=(".mkv",), options={"level": "3"}),
}
BY_INPUT = {"vp9": "av1"}  # other codecs of CODECS stay what they are; all else becomes the first one that is possible


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a clip is written.

    Args:
        name: key of `CODECS`.
        crf: constant rate factor; None where lossless.
        form: of the frames.
        ending: of the file, in lower case.
    """

    name: str
    crf: int | None
    form: Form
    ending: str

    @property
    def codec(self) -> Codec:
        """What is known of the codec."""
        return CODECS[self.name]


def plan_encoding(clip: Clip, ending: str, *, codec: str | None = None, crf: int | None = None) -> Plan:
    """How to write the clip: in its own codec where that is known, fits the container and is installed.

    Args:
        clip: to be written.
        ending: of the output's name, a key of `ENDINGS`.
        codec: key of `CODECS` that is to be used instead.
        crf: constant rate factor that is to be used instead of the codec's own.

    Raises:
        UndegradeError: the codec is unknown, not installed, or cannot hold the clip, or `crf` is out of range.
    """
    if codec is None:
        own = BY_INPUT.get(clip.codec, clip.codec)
        name = next((n for n in (own, *CODECS) if n in CODECS and not _objection(n, clip, ending)), None)
        if name is None:
            raise UndegradeError(f"codec: none of {', '.join(CODECS)} is possible; {_objection('h264', clip, ending)}")
    else:
        name = codec
        objection = _objection(name, clip, ending)
        if objection:
            raise UndegradeError(f"codec: {objection}")
    known = CODECS[name]
    if crf is not None and (known.crf is None or not 0 <= crf <= known.worst):
        held = "none, it is lossless" if known.crf is None else f"0 (best) to {known.worst}"
        raise UndegradeError(f"crf: {crf}; {name} takes {held}")
    offered = [form.name for form in pyav().Codec(known.encoder, "w").video_formats]
    form = choose_form(clip, offered, halves_odd=known.halves_odd)
    return Plan(name=name, crf=known.crf if crf is None else crf, form=form, ending=ending)


def _objection(name: str, clip: Clip, ending: str) -> str | None:
    """Why the clip cannot be written in this codec, with what to do; None where it can."""
    if name not in CODECS:
        return f"{name}; expected one of {', '.join(CODECS)}"
    codec = CODECS[name]
    if not _installed(name):
        there = ", ".join(filter(_installed, CODECS)) or "none of the others"
        return f"{name} needs {codec.encoder}, which this FFmpeg has not; it has {there}"
    if ending not in codec.endings:
        return f"{name} does not fit into {ending}; name the output {', '.join(codec.endings)}, or choose another codec"
    if min(clip.width, clip.height) < codec.smallest:
        size = f"{clip.width} x {clip.height}"
        return f"{name} cannot hold {size} pixels; {codec.encoder} needs sides of {codec.smallest} at least"
    return None


def _installed(name: str) -> bool:
    try:
        pyav().Codec(CODECS[name].encoder, "w")
    except ValueError:
        return False
    return True


def configure(context: Any, clip: Clip, plan: Plan) -> None:
    """Set up an encoder's context; two that are set up alike write headers alike, so their packets fit together."""
    os.environ.setdefault("SVT_LOG", "1")  # errors only
    context.width, context.height, context.pix_fmt = clip.width, clip.height, plan.form.name
    context.time_base, context.framerate, context.bit_rate = clip.time_base, clip.rate, 0
    if clip.aspect:
        context.sample_aspect_ratio = clip.aspect
    context.color_range = LIMITED if plan.form.rgb else clip.tags.range
    context.colorspace = BT709 if plan.form.rgb else clip.tags.matrix
    context.color_primaries, context.color_trc = clip.tags.primaries, clip.tags.transfer
    context.options = dict(plan.codec.options)
    if plan.crf is not None:
        context.options = context.options | {"crf": str(plan.crf)}


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """One packet of a segment: when its frame is shown, its bytes in the segment's file, and whether it is a key."""

    time: int  # ticks of the clip
    size: int  # bytes
    key: bool


def encode_segment(frames: Iterable[tuple[int, Planes]], clip: Clip, plan: Plan, file: BinaryIO) -> list[Encoded]:
    """Encode frames on their own, beginning with a key frame, so that segments can be strung together.

    Args:
        frames: times, in ticks, and samples.
        clip: they belong to.
        plan: how to write.
        file: takes the packets' bytes, one after the other.

    Returns:
        The packets in decoding order.

    Raises:
        UndegradeError: the encoder refuses.
    """
    av = pyav()
    try:
        context = av.CodecContext.create(plan.codec.encoder, "w")
        configure(context, clip, plan)
        context.flags |= av.codec.context.Flags.global_header
        packets, times = [], set()

        def keep(encoded: Iterable[Any]) -> None:
            for packet in encoded:
                file.write(bytes(packet))
                packets.append(Encoded(time=packet.pts, size=packet.size, key=packet.is_keyframe))

        for time, planes in frames:
            frame = frame_of(planes, plan.form)
            frame.pts, frame.time_base = time, clip.time_base
            frame.color_range, frame.colorspace = context.color_range, context.colorspace
            frame.color_primaries, frame.color_trc = context.color_primaries, context.color_trc
            times.add(time)
            keep(context.encode(frame))
        keep(context.encode(None))
    except av.FFmpegError as error:
        raise UndegradeError(
            f"codec: {plan.codec.encoder} cannot encode {clip.width} x {clip.height} pixels of {plan.form.name} "
            f"({error.strerror}); choose another with --codec"
        ) from None
    if {packet.time for packet in packets} != times or not packets[0].key:
        raise UndegradeError(f"codec: {plan.codec.encoder} lost frames or their times; choose another with --codec")
    return packets
