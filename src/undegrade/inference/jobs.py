"""Which picture files are meant, and where their results go."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from undegrade.errors import UndegradeError
from undegrade.images import LOSSY, SUFFIXES, find_pictures
from undegrade.inference.extras import MissingExtra

TAG = "restored"  # photo.png becomes photo.restored.png
BACKUP = "original"  # photo.png becomes photo.original.png where its result takes its place
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


def find_inputs(
    inputs: Sequence[Path], *, recursive: bool = False, suffix: str = TAG
) -> tuple[list[Path], list[Failure]]:
    """The picture files meant by `inputs`, each once.

    Results of earlier runs (`photo.restored.png`) and backups (`photo.original.png`) are not taken from folders. A
    folder without pictures, or an input that does not exist, is a failure.

    Args:
        inputs: files, folders for the pictures in them, patterns such as "scans/*.tif" or "**/*.jpg" where the shell
            has left them.
        recursive: also the pictures in the folders inside folders; links to folders are not followed.
        suffix: what marks results of earlier runs.
    """
    found: dict[Path, Path] = {}
    failures = []
    for path in (match for given in inputs for match in _matches(given)):
        paths = attempt(path, partial(_pictures, path, recursive, suffix))
        if isinstance(paths, Failure):
            failures.append(paths)
        else:
            found.update((p.resolve(), p) for p in paths if p.resolve() not in found)
    return list(found.values()), failures


def _matches(path: Path) -> list[Path]:
    """What a pattern means, or the path itself."""
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  Path.glob takes no absolute patterns
    return [Path(match) for match in matches] or [path]


def _pictures(path: Path, recursive: bool, suffix: str) -> list[Path]:
    if path.is_dir():
        paths = [
            p for p in find_pictures(path, recursive=recursive) if not p.stem.endswith((f".{suffix}", f".{BACKUP}"))
        ]
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
    suffix: str = TAG,
    in_place: bool = False,
    create: bool = True,
) -> list[Job]:
    """Where the result of each source goes; a folder that is needed is created.

    Args:
        inputs: as given, to know whether one file or several are meant.
        sources: the files found in them.
        out: None: `photo.restored.png` beside `photo.png`. A folder (it exists, ends with a slash, or there are
            several inputs): the same name in there, in the same folders inside it where an input folder has some.
            Otherwise the one file to write.
        also: further pictures that will be written, held to the same rules.
        form: what every result ends with, such as "png"; None keeps each file's own ending.
        quality: asked for, which every result's format must have.
        suffix: what stands for `restored` in the name where `out` is None.
        in_place: results take their originals' places (`restore_file` keeps a backup); `out` and `form` are None.
        create: the folders that are needed; otherwise they are taken to be there.

    Raises:
        UndegradeError: an original would be overwritten, two results would be one file, several inputs would go to one
            file, or the output's name has an ending that cannot be written or lies in a folder that does not exist.
    """
    if form is not None and f".{form.lower()}" not in SUFFIXES:
        raise UndegradeError(f"format: {form!r}; expected one of {', '.join(ending[1:] for ending in SUFFIXES)}")
    if not suffix or Path(suffix).name != suffix:
        raise UndegradeError(f"suffix: {suffix!r}; expected a part of a file's name, such as {TAG}")
    if in_place:
        _refuse_unwritable(sources)
    targets = list(sources) if in_place else _targets(inputs, sources, out, form, suffix)
    if create and out is not None:
        for folder in sorted({target.parent for target in targets if Path(out) in target.parents}):
            _create(folder)
    jobs = [Job(source=source, target=target) for source, target in zip(sources, targets, strict=True)]
    _refuse_clashes(jobs, also, in_place=in_place, create=create)
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


def _targets(
    inputs: Sequence[Path], sources: Sequence[Path], out: str | None, form: str | None, suffix: str
) -> list[Path]:
    several = len(inputs) > 1 or len(sources) > 1 or any(path.is_dir() for path in inputs)
    if out is None:
        return [path.with_name(f"{path.stem}.{suffix}{_ending(path, form)}") for path in sources]
    if several or out.endswith((os.sep, "/")) or Path(out).is_dir():
        folder = Path(out)
        if folder.suffix.lower() in SUFFIXES and not folder.is_dir():
            raise UndegradeError(f"{out}: one file for several inputs; name a folder")
        return [folder / _below(path, inputs) / f"{path.stem}{_ending(path, form)}" for path in sources]
    if form is not None and SUFFIXES.get(Path(out).suffix.lower()) != SUFFIXES[f".{form.lower()}"]:
        raise UndegradeError(f"{out}: another format than {form}; name the file *.{form.lower()}, or leave one out")
    return [Path(out) for _ in sources]


def _below(path: Path, inputs: Sequence[Path]) -> Path:
    """The folders that lead from the input to the file."""
    for given in inputs:
        if given.is_dir() and path.is_relative_to(given):
            return path.parent.relative_to(given)
    return Path()


def _refuse_unwritable(sources: Sequence[Path]) -> None:
    for path in sources:
        if path.suffix.lower() not in SUFFIXES:
            raise UndegradeError(f"{path}: {path.suffix} files are only read, so none can take its place; choose --out")


def _refuse_clashes(jobs: Sequence[Job], also: Sequence[Path], *, in_place: bool, create: bool) -> None:
    # By device and inode too: links and case-blind file systems give one file several names.
    originals = {job.source.resolve() for job in jobs}
    inodes = {(state.st_dev, state.st_ino) for state in map(Path.stat, originals)}
    places = [] if in_place else [(job.target, str(job.source)) for job in jobs]
    taken: dict[Path, str] = {}
    for target, purpose in [*places, *((path, "the sheet") for path in also)]:
        if target.suffix.lower() not in SUFFIXES:
            raise UndegradeError(f"{target}: unknown ending {target.suffix!r}; expected one of {', '.join(SUFFIXES)}")
        if create and not target.parent.is_dir():
            raise UndegradeError(f"{target}: no folder {target.parent}; create it, or choose another output")
        real = Path(os.path.realpath(target))  # which, unlike Path.resolve, bears links that lead to themselves
        state = real.stat() if real.exists() else None
        if real in originals or (state and (state.st_dev, state.st_ino) in inodes):
            raise UndegradeError(f"{target}: is an input; originals are never overwritten, choose another output")
        if real in taken:
            raise UndegradeError(f"{target}: would hold both {taken[real]} and {purpose}; choose another output")
        taken[real] = purpose
