"""Frames of compressed video."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undegrade.degradations.base import Degradation, severity
from undegrade.errors import UndegradeError
from undegrade.images.picture import from_unit, to_unit

NUM_FRAMES = 5
FIRST_SHOWN = 2  # the frames from here on, the first being 0, are told from others, so they have a codec's full marks
FASTEST = 2  # pixels a frame, along each side
# Pixels. On frames of a single 64-pixel block along a side, x265 reads and writes beyond its memory: it crashes, or
# answers differently each time.
SMALLEST = 96


@dataclass(frozen=True, kw_only=True)
class VideoCodec(Degradation):
    """One frame of a short pan over the picture, encoded and decoded: y = decode(encode(x moved by i * v))[k].

    v is drawn, up to 2 pixels a frame, the picture mirrored beyond its border; so is k, never the key frame, and the
    motion is such that frame k lies on x. 8 bits, halved chroma (4:2:0), one thread.

    Raises:
        UndegradeError: PyAV is missing, or its FFmpeg has not the codec or refuses the size.
    """

    family = "compression"
    encoder: ClassVar[str]  # FFmpeg's names
    decoder: ClassVar[str]

    def film(self, clean: Tensor, rng: torch.Generator, options: dict[str, str]) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range, with these options of the encoder."""
        shown = int(torch.randint(FIRST_SHOWN, NUM_FRAMES, (), generator=rng))
        # One number for both sides, so that they are never both zero.
        place = int(torch.randint((2 * FASTEST + 1) ** 2 - 1, (), generator=rng))
        place += place >= (2 * FASTEST + 1) ** 2 // 2
        velocity = place // (2 * FASTEST + 1) - FASTEST, place % (2 * FASTEST + 1) - FASTEST
        height, width = clean.shape[-2:]
        spoiled = []
        for pixels in clean.reshape(-1, *clean.shape[-3:]).numpy():
            samples = np.moveaxis(from_unit(pixels, np.uint8), 0, 2)
            frame = self.through(list(pan(samples, velocity, shown)), options)[shown].to_ndarray(format="rgb24")
            kept = np.ascontiguousarray(np.moveaxis(frame[:height, :width], 2, 0))
            spoiled.append(torch.from_numpy(to_unit(kept)))
        return torch.stack(spoiled).reshape(clean.shape)

    def through(self, frames: list[NDArray[np.uint8]], options: dict[str, str]) -> list[Any]:
        """(H, W, 3) frames, encoded and decoded, as PyAV's frames."""
        try:
            av: Any = importlib.import_module("av")
        except ImportError:
            raise UndegradeError(f"{self.label}: needs PyAV; pip install 'undegrade[video]'") from None
        try:
            encoder, decoder = av.CodecContext.create(self.encoder, "w"), av.CodecContext.create(self.decoder, "r")
        except ValueError:
            raise UndegradeError(
                f"{self.label}: this FFmpeg has no {self.encoder}; that of pip install 'undegrade[video]' has"
            ) from None
        encoder.thread_count = decoder.thread_count = 1  # more would make the result depend on the machine
        encoder.height, encoder.width = frames[0].shape[:2]
        encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", Fraction(1, 25), Fraction(25)
        encoder.options = options
        try:
            packets = []
            for i, samples in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(samples, format="rgb24").reformat(format="yuv420p")
                frame.pts = i
                packets += encoder.encode(frame)
            packets += encoder.encode(None)
            return [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
        except av.FFmpegError as error:
            size = f"{encoder.width} x {encoder.height}"
            raise UndegradeError(f"{self.label}: {self.encoder} cannot encode {size} pixels ({error})") from None


def pan(picture: NDArray[np.uint8], velocity: tuple[int, int], shown: int) -> Iterable[NDArray[np.uint8]]:
    """Frames of a view that moves over (H, W, 3) by (y, x) pixels a frame; frame `shown` begins with the picture.

    Their sides are even, as halved chroma needs, and at least `SMALLEST`.
    """
    margin = FASTEST * NUM_FRAMES
    height, width = (max(SMALLEST, n + n % 2) for n in picture.shape[:2])
    beyond = [(margin, margin + side - n) for side, n in zip((height, width), picture.shape[:2], strict=True)]
    scene = np.pad(picture, (*beyond, (0, 0)), mode="reflect")
    for i in range(NUM_FRAMES):
        top, left = (margin + (i - shown) * speed for speed in velocity)
        yield np.ascontiguousarray(scene[top : top + height, left : left + width])


@dataclass(frozen=True, kw_only=True)
class Mpeg2(VideoCodec):
    """MPEG-2 (DVDs, broadcasts), one fixed quantiser: 8 x 8 blocks, no smoothing of their edges."""

    label = "mpeg2"
    encoder = decoder = "mpeg2video"
    qscale: tuple[float, float] = severity(2, 31, "quantiser scale", limits=(1, 31), log=True, whole=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, qscale: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        return self.film(clean, rng, {**fixed_quantiser(qscale), "bf": "2"})


@dataclass(frozen=True, kw_only=True)
class Mpeg4(VideoCodec):
    """MPEG-4 part 2 (DivX, Xvid, early phones), one fixed quantiser: 8 x 8 blocks, no smoothing of their edges."""

    label = "mpeg4"
    encoder = decoder = "mpeg4"
    qscale: tuple[float, float] = severity(2, 31, "quantiser scale", limits=(1, 31), log=True, whole=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, qscale: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        return self.film(clean, rng, fixed_quantiser(qscale))


def fixed_quantiser(qscale: float) -> dict[str, str]:
    """Options of FFmpeg's own encoders: nothing but this quantiser to choose from, and a single key frame."""
    return {"qmin": f"{qscale:g}", "qmax": f"{qscale:g}", "g": str(10 * NUM_FRAMES)}


@dataclass(frozen=True, kw_only=True)
class H264(VideoCodec):
    """H.264 (most video on the web), by x264 at constant quality: predicted blocks, their edges smoothed."""

    label = "h264"
    encoder, decoder = "libx264", "h264"
    crf: tuple[float, float] = severity(20, 40, "x264's constant rate factor", limits=(0, 51), whole=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, crf: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        return self.film(clean, rng, {"crf": f"{crf:g}", "sc_threshold": "0"})  # 0: no key frame but the first


@dataclass(frozen=True, kw_only=True)
class Hevc(VideoCodec):
    """HEVC (phones, 4K discs), by x265 at constant quality: blocks up to 64 pixels, detail smoothed away."""

    label = "hevc"
    encoder, decoder = "libx265", "hevc"
    crf: tuple[float, float] = severity(20, 40, "x265's constant rate factor", limits=(0, 51), whole=True)

    def apply(self, clean: Tensor, rng: torch.Generator, *, crf: float) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range."""
        single = "pools=none:frame-threads=1:wpp=0:scenecut=0:log-level=none"
        return self.film(clean, rng, {"crf": f"{crf:g}", "x265-params": single})
