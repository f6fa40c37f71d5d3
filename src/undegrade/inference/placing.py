"""How a result takes its place: whole, where it was meant to, and over nothing that is not to be replaced."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.images.content import open_content
from undegrade.inference.jobs import BACKUP, Job
from undegrade.inference.journal import PARTS, Journal


def check_place(job: Job, *, overwrite: bool) -> None:
    """Refuse a job whose result would lie outside its folder, or over something that is not to be replaced.

    Raises:
        UndegradeError: says which.
    """
    target = job.target
    if job.home is not None and not _folder(target).is_relative_to(Path(os.path.realpath(job.home))):
        raise UndegradeError(f"{target}: a link leads out of {job.home}; delete it, or choose another output")
    if target == job.source:
        _refuse_another_backup(job)
    elif target.exists() and not target.is_symlink() and not overwrite:  # links are refused by themselves
        raise UndegradeError(f"{target}: exists already; --overwrite replaces it")


@contextmanager
def unfinished(job: Job, journal: Journal | None) -> Iterator[Path]:
    """Where the result is written until it is whole, in a private folder; whatever is still there then goes.

    Raises:
        UndegradeError: there cannot be such a place; or the block raises it, about the target.
    """
    part = None
    try:
        job.target.parent.mkdir(parents=job.home is not None, exist_ok=True)
        if journal is None:
            with tempfile.TemporaryDirectory(prefix=".undegrade-", dir=job.target.parent) as folder:
                part = Path(folder) / f"part{job.target.suffix}"
                yield part
        else:
            (journal.folder / PARTS).mkdir(mode=0o700, exist_ok=True)
            part = journal.folder / PARTS / f"{uuid.uuid4().hex}{job.target.suffix}"
            try:
                yield part
            finally:
                part.unlink(missing_ok=True)
    except UndegradeError as error:
        raise UndegradeError(str(error).replace(str(part), str(job.target))) from None
    except OSError as error:
        raise UndegradeError(
            f"{job.target}: cannot be written ({error.strerror}); check the folder and the disk"
        ) from None


def place(job: Job, part: Path, *, overwrite: bool) -> None:
    """Move a whole result to its target; in place, after the original was kept.

    Raises:
        UndegradeError: something has come to lie there meanwhile, or the disk refuses.
    """
    check_place(job, overwrite=overwrite)
    if job.target == job.source:
        if filecmp.cmp(part, job.source, shallow=False):
            return  # nothing was wrong with it
        keep_original(job.source, part.with_name(f"original-{part.name}"))
        shutil.copymode(job.source, part)
    part.replace(job.target)


def backup_of(source: Path) -> Path:
    """Where the original of a file lies whose result took its place."""
    return source.with_name(f"{source.stem}.{BACKUP}{source.suffix}")


def keep_original(source: Path, part: Path) -> None:
    """Copies a file to `photo.original.png` beside it, by way of `part`, before another one takes its place.

    A run that was killed may have done so already; what is there (`check_place` has seen to it) is the same.
    """
    backup = backup_of(source)
    if backup.exists():
        return
    try:
        shutil.copy2(source, part)
        part.replace(backup)
    finally:
        part.unlink(missing_ok=True)


def _refuse_another_backup(job: Job) -> None:
    backup = backup_of(job.source)
    with open_content(job.source):  # or says why it cannot be read
        same = not backup.exists() or filecmp.cmp(backup, job.source, shallow=False)
    if backup.is_symlink() or not same:
        raise UndegradeError(f"{backup}: exists already, and is never overwritten; move it, or choose --out")


def _folder(target: Path) -> Path:
    """The target's folder without links, whether it is there yet or not."""
    return Path(os.path.realpath(target.parent))
