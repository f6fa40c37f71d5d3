"""A picture file in, a restored one out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic

from undegrade.atomic import written_whole
from undegrade.errors import UndegradeError
from undegrade.images import (
    LIMITS,
    Limits,
    Picture,
    PictureRows,
    blended,
    check_target,
    refuse_unlike_pages,
    with_restoration,
    without_metadata,
    write_rows,
)
from undegrade.inference.backend import Pixels
from undegrade.inference.jobs import Job
from undegrade.inference.locating import locate
from undegrade.inference.restorer import Restorer
from undegrade.inference.treatment import F, Treatment
from undegrade.inference.ways import assurance_of

COPIED = 512  # rows at a time
Weights = Callable[[int, int], Pixels]  # (top, height) -> (height, W), how far these rows are repaired


@dataclass(frozen=True, kw_only=True)
class Output:
    """How results are written.

    Args:
        strip: with colours in sRGB and without profile, EXIF, XMP, IPTC, comments and resolution.
        quality: of JPEG, WebP and AVIF, 1 to 100; None takes 95.
        record: what is recorded in the XMP packet of a restored picture, beside diagnosis and strength; None records
            nothing.
        strength: in [0, 1], how far the result goes from the original to what was restored.
        local: only where something is wrong, with soft edges.
    """

    strip: bool = False
    quality: int | None = None
    record: Mapping[str, str] | None = None
    strength: float = 1.0
    local: bool = False


AS_IT_WAS = Output()


@dataclass(frozen=True, kw_only=True)
class Page(Generic[F]):
    """What became of one page of a file.

    Args:
        treatment: what was wrong, and what was done.
    """

    treatment: Treatment[F]

    @property
    def diagnosis(self) -> F | None:
        """What was wrong; None where the model names nothing, and everything is repaired."""
        return self.treatment.finding

    @property
    def changed(self) -> bool:
        """False where nothing was repaired."""
        return bool(self.treatment.steps)


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
    pixels: int  # of all pages

    @property
    def changed(self) -> bool:
        """Whether anything was repaired."""
        return any(page.changed for page in self.pages)


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
    treatment, repaired = restorer.restore_rows(first, _share(on_tile, 0, len(numbers)))
    pages = [Page(treatment=treatment)]

    def bands() -> Iterator[Picture]:
        yield from _written(repaired, first, limits, output, _where(restorer, first, limits, output, treatment))
        for number, page in enumerate(numbers[1:], start=1):
            rows = PictureRows(job.source, limits, page=page)
            own, restored = restorer.restore_rows(rows, _share(on_tile, number, len(numbers)))
            pages.append(Page(treatment=own))
            yield from _written(restored, rows, limits, output, _where(restorer, rows, limits, output, own))

    notes: tuple[str, ...] = ()
    if not (copied and len(numbers) == 1 and repaired is None):
        about = _finished(first.about, pages[0], output)
        lost = write_rows(bands(), about, first.height, job.target, num_pages=len(numbers), quality=output.quality)
        notes = tuple(dict.fromkeys(about.notes + lost))
    if copied and not any(page.changed for page in pages):
        notes = ()
        with written_whole(job.target) as unfinished:
            shutil.copyfile(job.source, unfinished)
    return Done(
        pages=tuple(pages),
        notes=notes,
        seconds=time.perf_counter() - began,
        pixels=first.width * first.height * len(numbers),
    )


def _where(
    restorer: Restorer[F], rows: PictureRows, limits: Limits, output: Output, treatment: Treatment[F]
) -> Weights | None:
    """How far each pixel of a page is repaired; None: all alike."""
    finding = treatment.finding
    if not (output.local and treatment.steps) or finding is None:
        return None
    if any(assurance_of(step.measured) == "certain" for step in treatment.steps):
        return None  # it lies all over the picture, whatever its parts look like
    found = locate(restorer, PictureRows(rows.opened.path, limits, page=rows.page))
    return partial(found.weights, tuple(step.kind or finding.label for step in treatment.steps))


def _share(on_tile: Callable[[int, int], None], number: int, count: int) -> Callable[[int, int], None]:
    """Tells of one page's tiles as of a part of all pages'."""
    return lambda done, total: on_tile(number * total + done, count * total)


def _written(
    repaired: Iterable[Pixels] | None, rows: PictureRows, limits: Limits, output: Output, weights: Weights | None
) -> Iterator[Picture]:
    """The repaired bands as pictures with the page's depth and alpha, its own rows where nothing was repaired."""
    made = rows.blocks(COPIED) if repaired is None else _completed(repaired, rows, limits, output.strength, weights)
    for picture in made:
        yield without_metadata(picture) if output.strip else picture


def _completed(
    repaired: Iterable[Pixels], rows: PictureRows, limits: Limits, strength: float, weights: Weights | None
) -> Iterator[Picture]:
    """The repaired bands with what else belongs to them: alpha, and some of the original."""
    about, top = rows.about, 0
    # Restoring is ahead of writing, and rows are read once: the original is read by another reader.
    needed = about.alpha is not None or strength < 1 or weights is not None
    again = PictureRows(rows.opened.path, limits, page=rows.page) if needed else None
    for band in repaired:
        height = band.shape[1]
        original = again.read(top, height) if again else None
        if original is not None and weights is not None:
            band = blended(original.pixels, band, strength * weights(top, height))
        elif original is not None and strength < 1:
            band = blended(original.pixels, band, strength)
        yield replace(about, pixels=band, alpha=original.alpha if original else None)
        top += height


def _finished(about: Picture, page: Page[F], output: Output) -> Picture:
    """What the file says beside its pixels: nothing, or also the record of what was done, as asked."""
    picture = without_metadata(about) if output.strip else about
    if output.record is None or not page.changed:
        return picture
    facts = {**output.record, "Strength": f"{output.strength:g}"}
    if steps := [f"{step.kind} {step.strength:g} by {step.by}" for step in page.treatment.steps if step.kind]:
        facts |= {"Repaired": ", ".join(steps)}
    if page.diagnosis is not None:
        facts |= {"Diagnosis": page.diagnosis.label, "Probability": f"{page.diagnosis.probability:.4f}"}
    metadata = picture.metadata
    try:
        packet = with_restoration(metadata.xmp, facts)
    except UndegradeError as error:
        return replace(picture, notes=(*picture.notes, f"Not recorded: {error}."))
    return replace(picture, metadata=replace(metadata, xmp=packet))
