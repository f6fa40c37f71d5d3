"""A video file in, a restored video file out."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Generic

import numpy as np

from undegrade.errors import UndegradeError
from undegrade.images.picture import Picture
from undegrade.inference.header import file_sha256
from undegrade.inference.jobs import TAG
from undegrade.inference.restorer import Restorer
from undegrade.inference.treatment import F, Look, Treatment, together
from undegrade.inference.video.clip import Clip
from undegrade.inference.video.colour import Planes
from undegrade.inference.video.encoding import ENDINGS, Plan, encode_segment, plan_encoding
from undegrade.inference.video.frames import Form, picture_of, planes_of, repaired
from undegrade.inference.video.ledger import Ledger, open_ledger
from undegrade.inference.video.muxing import check_result, left_out, write_result
from undegrade.inference.video.pyav import pyav
from undegrade.inference.video.shots import Shot
from undegrade.inference.video.source import decoded, main_stream, opened

LONGEST = 120  # frames of a segment: what a killed run loses at most
VERSION = 1  # of what a ledger holds; another one makes earlier runs start anew


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for beside the input and the output.

    Args:
        codec: key of `encoding.CODECS`; None: the input's own where possible.
        crf: constant rate factor; None: the codec's own.
        overwrite: an output that exists is replaced.
        longest: frames of a segment, at most.
    """

    codec: str | None = None
    crf: int | None = None
    overwrite: bool = False
    longest: int = LONGEST


@dataclass(frozen=True, kw_only=True)
class Judged(Generic[F]):
    """A shot and what became of it."""

    shot: Shot
    start: float  # seconds from the first frame of the clip
    seconds: float  # it is shown
    treatment: Treatment[F]  # of all its frames, for each of them

    @property
    def diagnosis(self) -> F | None:
        """What is wrong; None where the model names nothing."""
        return self.treatment.finding

    @property
    def untouched(self) -> bool:
        """Whether it is left alone."""
        return not self.treatment.steps


@dataclass(frozen=True, kw_only=True)
class RestoredVideo(Generic[F]):
    """What became of a clip.

    Args:
        clip: the input.
        shots: in order.
        codec: the result's; None where nothing was wrong and the frames were copied as they are.
        restored: frames that went through the model in this run.
        segments: into which the clip was cut, and how many of them an earlier run had finished.
        seconds: what it took.
        notes: what could not be kept, one sentence each.
    """

    clip: Clip
    shots: tuple[Judged[F], ...]
    codec: str | None
    restored: int
    segments: tuple[int, int]
    seconds: float
    notes: tuple[str, ...]


def restore_video(
    restorer: Restorer[F],
    clip: Clip,
    target: Path,
    wish: Wish,
    *,
    model: str,
    on_step: Callable[[int], None] = lambda done: None,
) -> RestoredVideo[F]:
    """Restore a clip; audio, subtitles, chapters and times are copied.

    A shot is judged by frames spread over it, and restored, or left alone, as a whole: judged frame by frame it would
    flicker between the two. Where nothing is wrong with any shot, the input is copied. The frames stream through; what
    is finished lies in a folder beside the target until all is, and a later call goes on from there.

    Args:
        restorer: of the frames.
        clip: what `read_clip` returned.
        target: .mp4, .m4v, .mov, .mkv or .webm; it appears whole or not at all.
        wish: how.
        model: what tells this restorer from others, such as the hash of its file.
        on_step: told how many of `count_steps` are done.

    Raises:
        UndegradeError: the clip cannot be restored or the target cannot be written; the message says why.
    """
    began = time.perf_counter()
    check_target(clip.path, target, wish)
    plan = plan_encoding(clip, target.suffix.lower(), codec=wish.codec, crf=wish.crf)
    segments = [piece for shot in clip.shots for piece in shot.pieces(wish.longest)]
    with open_ledger(target, _facts(clip, plan, wish, model)) as ledger:
        check_result(clip, plan, ledger.result)
        steps = _Steps(on_step)
        judged = _judge(restorer, clip, plan.form, ledger, steps)
        finished = sum(ledger.finished(segment.first) for segment in segments)
        unwell = any(not one.untouched for one in judged)
        restored = _restore(restorer, clip, plan, judged, wish, ledger, steps) if unwell else 0
        notes = _write(clip, plan if unwell else None, segments, ledger)
        ledger.publish()
    return RestoredVideo(
        clip=clip,
        shots=tuple(judged),
        codec=plan.name if unwell else None,
        restored=restored,
        segments=(len(segments), finished),
        seconds=time.perf_counter() - began,
        notes=clip.notes + notes,
    )


def _write(clip: Clip, plan: Plan | None, segments: Sequence[Shot], ledger: Ledger) -> tuple[str, ...]:
    """Write the result from finished segments, or with the input's own frames; notes on what it has not."""
    if plan is None and clip.path.suffix.lower() == ledger.target.suffix.lower():
        shutil.copyfile(clip.path, ledger.result)
        return ()
    write_result(clip, plan, segments, ledger, ledger.result)
    return (plan.form.notes if plan else ()) + left_out(clip, ledger.target.suffix.lower())


def count_steps(clip: Clip) -> int:
    """The frames that a run looks at, to judge or to restore them; each takes as long as any other."""
    return len(clip.times) + sum(len(_samples(clip, shot)) for shot in clip.shots)


def default_target(source: Path) -> Path:
    """`clip.restored.mp4` beside `clip.mp4`; .mkv where the input's own ending is not written."""
    ending = source.suffix if source.suffix.lower() in ENDINGS else ".mkv"
    return source.with_name(f"{source.stem}.{TAG}{ending}")


def check_target(source: Path, target: Path, wish: Wish) -> None:
    """Refuse an output that cannot or must not be written.

    Raises:
        UndegradeError: says why.
    """
    if target.suffix.lower() not in ENDINGS:
        raise UndegradeError(f"{target}: unknown ending {target.suffix!r}; expected one of {', '.join(ENDINGS)}")
    if target.is_dir():
        raise UndegradeError(f"{target}: a folder of this name stands in the way; choose another name")
    if not target.parent.is_dir():
        raise UndegradeError(f"{target}: no folder {target.parent}; create it, or choose another output")
    if target.exists():
        if source.exists() and target.samefile(source):
            raise UndegradeError(f"{target}: is the input; originals are never overwritten, choose another output")
        if not wish.overwrite:
            raise UndegradeError(f"{target}: exists already; --overwrite replaces it")


class _Steps:
    """Counts what is done."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._done, self._tell = 0, tell

    def add(self, count: int = 1) -> None:
        """So many more."""
        self._done += count
        self._tell(self._done)


def _facts(clip: Clip, plan: Plan, wish: Wish, model: str) -> dict[str, object]:
    """All that the segments depend on, the machine included: encoders answer by their number of threads."""
    return {
        "version": VERSION,
        "input": file_sha256(clip.path),
        "model": model,
        "codec": [plan.codec.encoder, plan.crf, plan.codec.options, plan.form.name, plan.ending],
        "longest": wish.longest,
        "libraries": {name: list(number) for name, number in pyav().library_versions.items()},
        "cores": os.cpu_count(),
    }


def _samples(clip: Clip, shot: Shot) -> list[int]:
    return shot.samples(clip.seconds(shot.first, shot.count))


def _judge(restorer: Restorer[F], clip: Clip, form: Form, ledger: Ledger, steps: _Steps) -> list[Judged[F]]:
    """Look at the frames that speak for each shot."""
    treatments = {shot.first: ledger.treatment(shot.first, restorer) for shot in clip.shots}
    steps.add(sum(len(_samples(clip, shot)) for shot in clip.shots if treatments[shot.first] is not None))
    wanted = {number: shot for shot in clip.shots if treatments[shot.first] is None for number in _samples(clip, shot)}
    looks: list[Look] = []
    if wanted:
        for number, frame in _frames(clip):
            if number not in wanted:
                continue
            shot = wanted.pop(number)
            looks.append(restorer.look(picture_of(planes_of(frame, form), form)))
            steps.add()
            if number == _samples(clip, shot)[-1]:
                look, looks = together(looks), []
                treatments[shot.first] = treatment = restorer.decide(look)
                ledger.keep_treatment(shot.first, treatment, look.contexts)
            if not wanted:
                break
    judged = []
    for shot in clip.shots:
        known = treatments[shot.first]
        if known is None:
            raise _changed(clip)
        start, seconds = clip.seconds(0, shot.first), clip.seconds(shot.first, shot.count)
        judged.append(Judged(shot=shot, start=start, seconds=seconds, treatment=known))
    return judged


def _restore(
    restorer: Restorer[F],
    clip: Clip,
    plan: Plan,
    judged: Sequence[Judged[F]],
    wish: Wish,
    ledger: Ledger,
    steps: _Steps,
) -> int:
    """Encode the segments that are not finished; how many frames went through the model."""
    frames, position, restored = _frames(clip), 0, 0
    for one in judged:
        for piece in one.shot.pieces(wish.longest):
            if ledger.finished(piece.first):
                steps.add(piece.count)
                continue
            own = islice(frames, piece.first - position, piece.first - position + piece.count)
            position = piece.first + piece.count
            made = _repaired(own, clip, plan.form, restorer, one, steps)
            with ledger.writing(piece.first) as (file, packets):
                packets += encode_segment(made, clip, plan, file)
                if len(packets) != piece.count:
                    raise _changed(clip)
            restored += 0 if one.untouched else piece.count
    return restored


def _repaired(
    frames: Iterator[tuple[int, Any]], clip: Clip, form: Form, restorer: Restorer[F], judged: Judged[F], steps: _Steps
) -> Iterator[tuple[int, Planes]]:
    """The times and samples of a shot's frames, restored unless the shot is well."""

    def repair(picture: Picture) -> Picture:
        return restorer.restore(picture, treatment=judged.treatment).picture

    before: Planes = []
    after: Planes = []
    for number, frame in frames:
        planes = planes_of(frame, form)
        if judged.untouched:
            after = planes
        elif not before or not all(map(np.array_equal, planes, before)):  # a frame shown again is not restored again
            before, after = planes, repaired(planes, form, repair)
        yield clip.times[number], after
        steps.add()


def _frames(clip: Clip) -> Iterator[tuple[int, Any]]:
    """The frames of the clip with their numbers."""
    with opened(clip.path) as container:
        yield from enumerate(decoded(container, main_stream(container, clip.path), clip.path))


def _changed(clip: Clip) -> UndegradeError:
    return UndegradeError(f"{clip.path}: has other frames than when it was read first; leave it alone while it is used")
