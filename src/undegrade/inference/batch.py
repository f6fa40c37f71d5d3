"""Many picture files: what is read, where the results go, and what happens when one of them fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from undegrade.atomic import written_whole
from undegrade.errors import UndegradeError
from undegrade.images import (
    LIMITS,
    LOSSY,
    SUFFIXES,
    Limits,
    Picture,
    check_target,
    decode,
    find_pictures,
    open_image,
    refuse_unlike_pages,
    with_restoration,
    without_metadata,
    write_pages,
)
from undegrade.inference.extras import MissingExtra
from undegrade.inference.restorer import F, Restored, Restorer

TAG = "restored"  # photo.png becomes photo.restored.png

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One input that could not be done.

    Args:
        source: the input.
        reason: one line.
        error: the exception behind it where it is a fault of undegrade, not of the input.
    """

    source: Path
    reason: str
    error: Exception | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A picture file and where its result goes."""

    source: Path
    target: Path


@dataclass(frozen=True, kw_only=True)
class Output:
    """How results are written.

    Args:
        strip: with colours in sRGB and without profile, EXIF, XMP, IPTC, comments and resolution.
        quality: of JPEG, WebP and AVIF, 1 to 100; None takes 95.
        record: what is recorded in the XMP packet of a restored picture, beside diagnosis and strength; None records
            nothing.
        strength: of the restoration, in [0, 1], for the record.
    """

    strip: bool = False
    quality: int | None = None
    record: Mapping[str, str] | None = None
    strength: float = 1.0


AS_IT_WAS = Output()


@dataclass(frozen=True, kw_only=True, eq=False)
class Done(Generic[F]):
    """One file that was done.

    Args:
        original: its first page as it was.
        pages: what became of each page; the pixels are kept of the first alone.
        notes: what could not be kept, one sentence each.
    """

    original: Picture
    pages: tuple[Restored[F], ...]
    notes: tuple[str, ...]


def attempt(source: Path, work: Callable[[], T]) -> T | Failure:
    """What `work` returns, or its failure, so that the other inputs still get done."""
    try:
        return work()
    except MissingExtra:
        raise  # no matter of this input
    except UndegradeError as error:
        return Failure(source=source, reason=str(error))
    except MemoryError:
        return Failure(source=source, reason=f"{source}: too large for this machine's memory; restore a smaller one")
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return Failure(source=source, reason=f"{source}: internal error ({what}); please report it", error=error)


def find_inputs(inputs: Sequence[Path]) -> tuple[list[Path], list[Failure]]:
    """The picture files meant by `inputs`, each once: files as they are, folders by the pictures in them.

    Results of earlier runs (`photo.restored.png`) are not taken from folders. A folder without pictures, or an input
    that does not exist, is a failure.
    """
    found: dict[Path, Path] = {}
    failures = []
    for path in inputs:
        paths = attempt(path, partial(_pictures, path))
        if isinstance(paths, Failure):
            failures.append(paths)
        else:
            found.update((p.resolve(), p) for p in paths if p.resolve() not in found)
    return list(found.values()), failures


def _pictures(path: Path) -> list[Path]:
    if path.is_dir():
        paths = [p for p in find_pictures(path) if not p.stem.endswith(f".{TAG}")]
        if not paths:
            raise UndegradeError(f"{path}: only results of earlier runs in it; name a file to restore it again")
        return paths
    if not path.exists():
        raise UndegradeError(f"{path}: no such file; check the name")
    return [path]


def plan_jobs(
    inputs: Sequence[Path],
    sources: Sequence[Path],
    out: str | None,
    *,
    also: Sequence[Path] = (),
    form: str | None = None,
    quality: int | None = None,
) -> list[Job]:
    """Where the result of each source goes; a folder that is needed is created.

    Args:
        inputs: as given, to know whether one file or several are meant.
        sources: the files found in them.
        out: None: `photo.restored.png` beside `photo.png`. A folder (it exists, ends with a slash, or there are
            several inputs): the same name in there. Otherwise the one file to write.
        also: further pictures that will be written, held to the same rules.
        form: what every result ends with, such as "png"; None keeps each file's own ending.
        quality: asked for, which every result's format must have.

    Raises:
        UndegradeError: an original would be overwritten, two results would be one file, several inputs would go to one
            file, or the output's name has an ending that cannot be written or lies in a folder that does not exist.
    """
    if form is not None and f".{form.lower()}" not in SUFFIXES:
        raise UndegradeError(f"format: {form!r}; expected one of {', '.join(ending[1:] for ending in SUFFIXES)}")
    several = len(inputs) > 1 or any(path.is_dir() for path in inputs)
    if out is None:
        targets = [path.with_name(f"{path.stem}.{TAG}{_ending(path, form)}") for path in sources]
    elif several or out.endswith((os.sep, "/")) or Path(out).is_dir():
        folder = Path(out)
        if folder.suffix.lower() in SUFFIXES and not folder.is_dir():
            raise UndegradeError(f"{out}: one file for several inputs; name a folder")
        _create(folder)
        targets = [folder / f"{path.stem}{_ending(path, form)}" for path in sources]
    else:
        targets = [Path(out) for _ in sources]
        if form is not None and SUFFIXES.get(Path(out).suffix.lower()) != SUFFIXES[f".{form.lower()}"]:
            raise UndegradeError(f"{out}: another format than {form}; name the file *.{form.lower()}, or leave one out")
    jobs = [Job(source=source, target=target) for source, target in zip(sources, targets, strict=True)]
    _refuse_clashes(jobs, also)
    if quality is not None:
        _refuse_lossless(jobs)
    return jobs


def _refuse_lossless(jobs: Sequence[Job]) -> None:
    for job in jobs:
        written = SUFFIXES[job.target.suffix.lower()]
        if written not in LOSSY:
            raise UndegradeError(
                f"{job.target}: {written} is written without loss, so it has no quality; leave it out, or choose "
                f"{', '.join(LOSSY)} as format"
            )


def _ending(path: Path, form: str | None) -> str:
    """As asked for, or the file's own ending, or .png where its format is only read."""
    if form is not None:
        return f".{form.lower()}"
    return path.suffix if path.suffix.lower() in SUFFIXES else ".png"


def _create(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UndegradeError(f"{folder}: a file; several inputs need a folder to be written to") from None
    except OSError as error:
        raise UndegradeError(f"{folder}: the folder cannot be created ({error.strerror})") from None


def _refuse_clashes(jobs: Sequence[Job], also: Sequence[Path]) -> None:
    # By device and inode too: links and case-blind file systems give one file several names.
    originals = {job.source.resolve() for job in jobs}
    inodes = {(state.st_dev, state.st_ino) for state in map(Path.stat, originals)}
    taken: dict[Path, str] = {}
    for target, purpose in [*((job.target, str(job.source)) for job in jobs), *((path, "the sheet") for path in also)]:
        if target.suffix.lower() not in SUFFIXES:
            raise UndegradeError(f"{target}: unknown ending {target.suffix!r}; expected one of {', '.join(SUFFIXES)}")
        if not target.parent.is_dir():
            raise UndegradeError(f"{target}: no folder {target.parent}; create it, or choose another output")
        real = Path(os.path.realpath(target))  # which, unlike Path.resolve, bears links that lead to themselves
        state = real.stat() if real.exists() else None
        if real in originals or (state and (state.st_dev, state.st_ino) in inodes):
            raise UndegradeError(f"{target}: is an input; originals are never overwritten, choose another output")
        if real in taken:
            raise UndegradeError(f"{target}: would hold both {taken[real]} and {purpose}; choose another output")
        taken[real] = purpose


def restore_file(
    restorer: Restorer[F],
    job: Job,
    on_tile: Callable[[int, int], None] = lambda done, total: None,
    *,
    limits: Limits = LIMITS,
    output: Output = AS_IT_WAS,
) -> Done[F]:
    """Read, restore and write one picture, or all pages of a TIFF file.

    Where nothing is wrong, the file itself is copied if its format stays and nothing is to be taken out of it.

    Raises:
        UndegradeError: the file cannot be read, restored or written; nothing is then left at the target.
    """
    form = check_target(job.target, output.quality)
    first = open_image(job.source, limits)
    refuse_unlike_pages(first, limits)
    copied = form == first.form and not output.strip
    original = decode(first)
    done = [restorer.restore(original, _share(on_tile, 0, len(first.pages)))]
    notes: list[str] = []

    def results() -> Iterator[Picture]:
        for number, page in enumerate(first.pages):
            restored = done[0]
            if number:
                picture = decode(open_image(job.source, limits, page=page))
                restored = restorer.restore(picture, _share(on_tile, number, len(first.pages)))
                done.append(replace(restored, picture=original))  # of long documents, one page's pixels are kept
            result = _finished(restored, output)
            notes.extend(result.notes)
            yield result

    if not (copied and len(first.pages) == 1 and not done[0].changed):
        notes += write_pages(results(), job.target, quality=output.quality)
    if copied and not any(restored.changed for restored in done):
        notes = []
        with written_whole(job.target) as partial:
            shutil.copyfile(job.source, partial)
    return Done(original=original, pages=tuple(done), notes=tuple(dict.fromkeys(notes)))


def _share(on_tile: Callable[[int, int], None], number: int, count: int) -> Callable[[int, int], None]:
    """Tells of one page's tiles as of a part of all pages'."""
    return lambda done, total: on_tile(number * total + done, count * total)


def _finished(restored: Restored[F], output: Output) -> Picture:
    """What is written: without metadata, or with the record of what was done, as asked."""
    picture = without_metadata(restored.picture) if output.strip else restored.picture
    if output.record is None or not restored.changed:
        return picture
    facts = {
        **output.record,
        "Diagnosis": restored.diagnosis.label,
        "Probability": f"{restored.diagnosis.probability:.4f}",
        "Strength": f"{output.strength:g}",
    }
    metadata = picture.metadata
    try:
        packet = with_restoration(metadata.xmp, facts)
    except UndegradeError as error:
        return replace(picture, notes=(*picture.notes, f"Not recorded: {error}."))
    return replace(picture, metadata=replace(metadata, xmp=packet))
