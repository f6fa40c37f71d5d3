"""From FFmpeg's frames to planes of samples to upright pictures, and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from undegrade.images.picture import Picture, to_unit
from undegrade.inference.video.clip import FULL, UNKNOWN, Clip
from undegrade.inference.video.colour import Pixels, Planes, Samples, changed, from_rgb, to_rgb
from undegrade.inference.video.pyav import pyav

PLANAR = re.compile(r"(?:yuv(?:420|422|440|444)p|gray)(?:\d+le)?")  # the pixel formats that are written
LIMITED = 1  # FFmpeg's number of the range
BT601, BT709 = 6, 1  # by H.273's number
HD_LINES = 720  # a clip that names no matrix is taken as BT.709 from this height on, as BT.601 below
SCALER = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}  # FFmpeg's scaler has numbers of its own for the matrices


class _Layout(NamedTuple):
    """What a pixel format holds: bits of a sample, how chroma is reduced across and down, whether there is none."""

    bits: int
    across: int
    down: int
    gray: bool


def _layout(form: Any) -> _Layout:
    bits = min(16, max(8, *(part.bits for part in form.components), 0))
    if form.is_rgb or form.has_palette:
        return _Layout(bits, 1, 1, False)
    if len([part for part in form.components if not part.is_alpha]) < 3:
        return _Layout(bits, 2, 2, True)
    return _Layout(bits, min(2, 1000 // form.chroma_width(1000)), min(2, 1000 // form.chroma_height(1000)), False)


@dataclass(frozen=True, kw_only=True)
class Form:
    """How the frames of a clip are held and written.

    Args:
        name: FFmpeg's name of the pixel format.
        samples: what they stand for.
        rgb: the frames come as RGB.
        turns: quarter turns, counterclockwise, that make a frame upright.
        notes: what the format cannot keep, one sentence each.
    """

    name: str
    samples: Samples
    rgb: bool
    turns: int
    notes: tuple[str, ...]


def choose_form(clip: Clip, offered: Iterable[str], *, halves_odd: bool) -> Form:
    """The pixel format nearest to the clip's own.

    Args:
        clip: whose frames are to be written.
        offered: FFmpeg's names of those that the encoder takes.
        halves_odd: whether the codec can halve the chroma of odd sides.
    """
    av = pyav()
    source = av.VideoFormat(clip.form, clip.width, clip.height)
    rgb, own = source.is_rgb or source.has_palette, _layout(source)
    ranked = []
    for name in filter(PLANAR.fullmatch, offered):
        has = _layout(av.VideoFormat(name))
        if not (halves_odd or has.gray) and (clip.width % has.across or clip.height % has.down):
            continue
        # The fewest losses; then as little as possible beyond what is needed.
        lost = has.gray and not own.gray, has.bits < own.bits, has.across > own.across or has.down > own.down
        ranked.append((lost, has.gray != own.gray, has.bits, -has.across * has.down, name, has))
    lost, _, _, _, name, has = min(ranked)
    assumed = BT709 if rgb or clip.height >= HD_LINES else BT601
    samples = Samples(
        bits=has.bits,
        across=has.across,
        down=has.down,
        full=clip.tags.range == FULL and not rgb,
        matrix=assumed if rgb or clip.tags.matrix in UNKNOWN else clip.tags.matrix,
        gray=has.gray,
    )
    said = {
        "RGB became YCbCr of BT.709.": rgb,
        f"The codec takes {has.bits} bits at most: the {own.bits}-bit samples were rounded.": lost[1],
        "The codec halves chroma: it has fewer samples than before.": lost[2],
        "The codec cannot halve the chroma of odd sides: it was written at full size.": not (own.gray or lost[2])
        and has[1:3] != own[1:3],
        "Transparency was dropped.": any(part.is_alpha for part in source.components),
    }
    notes = tuple(note for note, true in said.items() if true)
    return Form(name=name, samples=samples, rgb=rgb, turns=clip.turns, notes=notes)


def planes_of(frame: Any, form: Form) -> Planes:
    """The samples of a decoded frame as (H, W) planes, of its own memory where the format is the same already."""
    if form.rgb:
        deep = form.samples.bits > 8
        pixels = frame.reformat(format="rgb48le" if deep else "rgb24").to_ndarray()
        return from_rgb(np.ascontiguousarray(np.moveaxis(to_unit(pixels), 2, 0)), form.samples)
    if frame.format.name != form.name:
        # Neither matrix nor range changes here; samples only move to other places, or get more bits.
        matrix, colour_range = SCALER[form.samples.matrix], FULL if form.samples.full else LIMITED
        frame = frame.reformat(
            format=form.name,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=colour_range,
            dst_color_range=colour_range,
        )
    dtype = np.uint8 if form.samples.bits == 8 else np.uint16
    return [np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]


def frame_of(planes: Planes, form: Form) -> Any:
    """A frame for the encoder that holds these samples."""
    height, width = planes[0].shape
    frame = pyav().VideoFrame(width, height, form.name)
    for plane, samples in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // samples.itemsize), samples.dtype)
        rows[:, : samples.shape[1]] = samples
        plane.update(rows)
    return frame


def picture_of(planes: Planes, form: Form) -> Picture:
    """The samples as an upright picture."""
    upright = np.ascontiguousarray(np.rot90(to_rgb(planes, form.samples), form.turns, (1, 2)))
    return Picture(pixels=upright, gray=form.samples.gray, bits=8 if form.samples.bits == 8 else 16)


def repaired(planes: Planes, form: Form, repair: Callable[[Picture], Picture]) -> Planes:
    """The samples after `repair`; where it leaves the picture as it was, they are the same to the last bit."""
    before = picture_of(planes, form)
    after = repair(before).pixels

    def lying(pixels: Pixels) -> Pixels:
        return np.rot90(pixels, -form.turns, (1, 2))

    return changed(planes, form.samples, lying(before.pixels), lying(after))
