"""Many picture files: what is read, where the results go, and what happens when one of them fails."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    PictureRows,
    check_target,
    find_pictures,
    refuse_unlike_pages,
    with_restoration,
    without_metadata,
    write_rows,
)
from undegrade.inference.extras import MissingExtra
from undegrade.inference.restorer import F, Pixels, Restorer

COPIED = 512  # rows at a time
TAG = "restored"  # photo.png becomes photo.restored.png
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".3gp")

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


@dataclass(frozen=True, kw_only=True)
class Page(Generic[F]):
    """What became of one page of a file.

    Args:
        diagnosis: what was wrong; None where the model names nothing, and everything is repaired.
        changed: False where nothing was wrong.
    """

    diagnosis: F | None
    changed: bool


@dataclass(frozen=True, kw_only=True)
class Done(Generic[F]):
    """One file that was done.

    Args:
        pages: what became of each.
        notes: what could not be kept, one sentence each.
        seconds: what it took, from the file to the file.
    """

    pages: tuple[Page[F], ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether anything was repaired."""
        return any(page.changed for page in self.pages)


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
    if path.suffix.lower() in VIDEOS:
        raise UndegradeError(f"{path}: a video; use undegrade video")
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
    """Read, restore and write one picture, or all pages of a TIFF file, in memory that does not grow with its height.

    Where nothing is wrong, the file itself is copied if its format stays and nothing is to be taken out of it.

    Raises:
        UndegradeError: the file cannot be read, restored or written; nothing is then left at the target.
    """
    began = time.perf_counter()
    form = check_target(job.target, output.quality)
    first = PictureRows(job.source, limits)
    refuse_unlike_pages(first.opened, limits)
    numbers, copied = first.opened.pages, form == first.opened.form and not output.strip
    diagnosis, repaired = restorer.restore_rows(first, _share(on_tile, 0, len(numbers)))
    pages = [Page(diagnosis=diagnosis, changed=repaired is not None)]

    def bands() -> Iterator[Picture]:
        yield from _written(repaired, first, limits, output)
        for number, page in enumerate(numbers[1:], start=1):
            rows = PictureRows(job.source, limits, page=page)
            found, restored = restorer.restore_rows(rows, _share(on_tile, number, len(numbers)))
            pages.append(Page(diagnosis=found, changed=restored is not None))
            yield from _written(restored, rows, limits, output)

    notes: tuple[str, ...] = ()
    if not (copied and len(numbers) == 1 and repaired is None):
        about = _finished(first.about, pages[0], output)
        lost = write_rows(bands(), about, first.height, job.target, num_pages=len(numbers), quality=output.quality)
        notes = tuple(dict.fromkeys(about.notes + lost))
    if copied and not any(page.changed for page in pages):
        notes = ()
        with written_whole(job.target) as partial:
            shutil.copyfile(job.source, partial)
    return Done(pages=tuple(pages), notes=notes, seconds=time.perf_counter() - began)


def _share(on_tile: Callable[[int, int], None], number: int, count: int) -> Callable[[int, int], None]:
    """Tells of one page's tiles as of a part of all pages'."""
    return lambda done, total: on_tile(number * total + done, count * total)


def _written(repaired: Iterable[Pixels] | None, rows: PictureRows, limits: Limits, output: Output) -> Iterator[Picture]:
    """The repaired bands as pictures with the page's depth and alpha, its own rows where nothing was repaired."""
    for picture in rows.blocks(COPIED) if repaired is None else _with_alpha(repaired, rows, limits):
        yield without_metadata(picture) if output.strip else picture


def _with_alpha(repaired: Iterable[Pixels], rows: PictureRows, limits: Limits) -> Iterator[Picture]:
    about, top = rows.about, 0
    # Restoring is ahead of writing, and rows are read once: alpha is read by another reader.
    again = None if about.alpha is None else PictureRows(rows.opened.path, limits, page=rows.page)
    for band in repaired:
        height = band.shape[1]
        yield replace(about, pixels=band, alpha=again.read(top, height).alpha if again else None)
        top += height


def _finished(about: Picture, page: Page[F], output: Output) -> Picture:
    """What the file says beside its pixels: nothing, or also the record of what was done, as asked."""
    picture = without_metadata(about) if output.strip else about
    if output.record is None or not page.changed:
        return picture
    facts = {**output.record, "Strength": f"{output.strength:g}"}
    if page.diagnosis is not None:
        facts |= {"Diagnosis": page.diagnosis.label, "Probability": f"{page.diagnosis.probability:.4f}"}
    metadata = picture.metadata
    try:
        packet = with_restoration(metadata.xmp, facts)
    except UndegradeError as error:
        return replace(picture, notes=(*picture.notes, f"Not recorded: {error}."))
    return replace(picture, metadata=replace(metadata, xmp=packet))
