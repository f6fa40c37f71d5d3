"""What happens when photos are dropped on the page."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from undegrade.api import Restorer, load
from undegrade.batch import CLEAN
from undegrade.diagnosis import UNKNOWN, called
from undegrade.images import SUFFIXES, Picture, write_picture
from undegrade.images.files import natural_suffix
from undegrade.images.stream import reduced
from undegrade.inference.batch import Output, restore_file
from undegrade.inference.jobs import TAG, Failure, Job, attempt
from undegrade.inference.locating import draw_map, legend, locate
from undegrade.inference.rows import Held
from undegrade.reports import told

if TYPE_CHECKING:
    from undegrade.diagnosis import Diagnosis
    from undegrade.inference.batch import Done
    from undegrade.inference.treatment import Treatment

SHOWN = 4096  # pixels: longer sides are shown smaller; what is downloaded never is
MAPPED = 1024  # pixels, of the map
FORCE = "Repair wholly, unchecked"
FORCED = f"{FORCE}: all of “Repair only”, else what is likeliest"
Told = Callable[[float, str], object]  # (share that is done, what is being done)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was set on the page."""

    model: str
    strength: float = 1.0
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    local: bool = False
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One photo that was worked on.

    Args:
        name: as it was called; several may be called alike, then they are numbered.
        source: the upload.
        pair: files to show, before and after.
        result: the file to download; empty where it could not be done.
        finding: what was found, in words.
        changed: whether anything was repaired.
        why: nothing was changed, in a sentence; empty where something was.
        odds: probabilities by kind.
        error: why it could not be done.
    """

    name: str
    source: str
    pair: tuple[str, str] | None = None
    result: str = ""
    finding: str = ""
    changed: bool = False
    why: str = ""
    odds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""


def kinds_of(model: str) -> list[str]:
    """What the model can repair."""
    return [label for label in load(model).backend.labels if label != CLEAN]


def restore_all(files: Sequence[Path], wanted: Wanted, tell: Told) -> tuple[list[Seen], str | None]:
    """Each photo restored, or said why not; and a ZIP of the results, None where there is none.

    Raises:
        UndegradeError: the options contradict the model.
    """
    restorer = load(wanted.model).wishing(only=wanted.only, skip=wanted.skip, force=wanted.force)
    folder = Path(tempfile.mkdtemp(prefix="undegrade-"))
    results: list[Seen] = []
    for number, (file, name) in enumerate(zip(files, _names(files), strict=True)):

        def on_tile(done: int, total: int, number: int = number, name: str = name) -> None:
            tell((number + done / total) / len(files), name)

        tell(number / len(files), name)
        place = folder / str(number)
        place.mkdir()
        made = attempt(file, partial(_restore, restorer, file, name, place, wanted, on_tile))
        if isinstance(made, Failure):
            made = Seen(name=name, source=str(file), error=made.reason.replace(str(file), name))
        results.append(made)
    return results, _zipped([one for one in results if one.result], folder)


def _names(files: Sequence[Path]) -> list[str]:
    """As the files are called; of several that are called alike, all but the first have a number."""
    names: list[str] = []
    for file in files:
        numbered = (f"{file.stem} ({number}){file.suffix}" for number in count(2))
        names.append(next(name for name in chain([file.name], numbered) if name not in names))
    return names


def _restore(
    restorer: Restorer, file: Path, name: str, place: Path, wanted: Wanted, on_tile: Callable[[int, int], None]
) -> Seen:
    suffix = file.suffix if file.suffix.lower() in SUFFIXES else natural_suffix(file)
    target = place / f"{Path(name).stem}.{TAG}{suffix}"
    output = Output(strength=wanted.strength, local=wanted.local)
    done: Done[Diagnosis] = restore_file(restorer, Job(source=file, target=target), on_tile, output=output)
    treatment = done.pages[0].treatment
    found = treatment.finding
    return Seen(
        name=name,
        source=str(file),
        pair=(_shown(file, place / "before.png"), _shown(target, place / "after.png")),
        result=str(target),
        finding=told(treatment),
        changed=done.changed,
        why="" if done.changed else untouched(treatment),
        odds=dict(found.probabilities) if found else {},
        notes=done.notes,
        seconds=done.seconds,
    )


def _shown(source: Path, target: Path) -> str:
    write_picture(Picture(pixels=reduced(source, SHOWN)), target)
    return str(target)


def _zipped(results: Sequence[Seen], folder: Path) -> str | None:
    if not results:
        return None
    archive = folder / "undegrade.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:  # pictures are compressed already
        paths = [Path(one.result) for one in results]
        for path, name in zip(paths, _names(paths), strict=True):
            file.write(path, name)
    return str(archive)


def show(one: Seen) -> str:
    """What was found and done, as Markdown."""
    if one.error:
        return f"**{one.error}**"
    done = f"Repaired in {one.seconds:.1f} s." if one.changed else one.why
    return "\n\n".join([f"**{one.finding[:1].upper()}{one.finding[1:]}**", done, *one.notes])


def untouched(treatment: Treatment[Diagnosis]) -> str:
    """Why nothing was changed, in a sentence."""
    found = treatment.finding
    if found is None or found.label in (CLEAN, UNKNOWN):
        return "Nothing was changed: nothing was found that a repair would make better. It is the same, bit for bit."
    why = f"Nothing was changed: {treatment.reason or 'it was not to be repaired'}."
    if not treatment.left:
        return why
    kinds = ", ".join(map(spelt, treatment.left))
    return f"{why} “{FORCE}” under “More”, with “Repair only” on {kinds}, does so all the same."


def spelt(kind: str) -> str:
    """A kind as it is called on the page."""
    return called(kind).replace("_", " ")


def where(one: Seen, model: str) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """The photo in gray with a colour wherever something is wrong, (H, W, 3), and the colours of the kinds.

    Raises:
        UndegradeError: the model names nothing.
    """
    pixels = reduced(Path(one.source), MAPPED)
    found = locate(load(model), Held(Picture(pixels=pixels)))
    drawn = draw_map(pixels, found)
    return (255 * drawn.clip(0, 1)).round().astype(np.uint8).transpose(1, 2, 0), legend(found)
