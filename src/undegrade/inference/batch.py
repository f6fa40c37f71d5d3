"""Many picture files: what is read, where the results go, and what happens when one of them fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from undegrade.atomic import written_whole
from undegrade.errors import UndegradeError
from undegrade.images import SUFFIXES, find_pictures, read_picture, write_picture
from undegrade.images.picture import Picture
from undegrade.inference.extras import MissingExtra
from undegrade.inference.restorer import F, Restored, Restorer

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
    inputs: Sequence[Path], sources: Sequence[Path], out: str | None, *, also: Sequence[Path] = ()
) -> list[Job]:
    """Where the result of each source goes; a folder that is needed is created.

    Args:
        inputs: as given, to know whether one file or several are meant.
        sources: the files found in them.
        out: None: `photo.restored.png` beside `photo.png`. A folder (it exists, ends with a slash, or there are
            several inputs): the same name in there. Otherwise the one file to write.
        also: further pictures that will be written, held to the same rules.

    Raises:
        UndegradeError: an original would be overwritten, two results would be one file, several inputs would go to one
            file, or the output's name has an ending that cannot be written or lies in a folder that does not exist.
    """
    several = len(inputs) > 1 or any(path.is_dir() for path in inputs)
    if out is None:
        targets = [path.with_name(f"{path.stem}.{TAG}{_ending(path)}") for path in sources]
    elif several or out.endswith((os.sep, "/")) or Path(out).is_dir():
        folder = Path(out)
        if folder.suffix.lower() in SUFFIXES and not folder.is_dir():
            raise UndegradeError(f"{out}: one file for several inputs; name a folder")
        _create(folder)
        targets = [folder / f"{path.stem}{_ending(path)}" for path in sources]
    else:
        targets = [Path(out) for _ in sources]
    jobs = [Job(source=source, target=target) for source, target in zip(sources, targets, strict=True)]
    _refuse_clashes(jobs, also)
    return jobs


def _ending(path: Path) -> str:
    """The file's own ending, or .png where its format is only read."""
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
        real = target.resolve()
        state = real.stat() if real.exists() else None
        if real in originals or (state and (state.st_dev, state.st_ino) in inodes):
            raise UndegradeError(f"{target}: is an input; originals are never overwritten, choose another output")
        if real in taken:
            raise UndegradeError(f"{target}: would hold both {taken[real]} and {purpose}; choose another output")
        taken[real] = purpose


def restore_file(
    restorer: Restorer[F], job: Job, on_tile: Callable[[int, int], None] = lambda done, total: None
) -> tuple[Picture, Restored[F], tuple[str, ...]]:
    """Read, restore and write one picture; where nothing is wrong, the file itself is copied if the format stays.

    Returns:
        The original, what became of it, and notes on what could not be kept, one sentence each.

    Raises:
        UndegradeError: the file cannot be read, restored or written; nothing is then left at the target.
    """
    picture = read_picture(job.source)
    restored = restorer.restore(picture, on_tile)
    form, form_before = (SUFFIXES.get(path.suffix.lower()) for path in (job.target, job.source))
    if not restored.changed and form == form_before:
        with written_whole(job.target) as partial:
            shutil.copyfile(job.source, partial)
        return picture, restored, ()
    return picture, restored, picture.notes + write_picture(restored.picture, job.target)
