"""What a model answers to specimens: the numbers from which a diagnosis is calibrated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from undegrade.atomic import written_whole
from undegrade.data.folder import CleanFolder
from undegrade.diagnosis.evidence import NUM_EVIDENCE, evidence
from undegrade.diagnosis.gate import IN_TURN
from undegrade.diagnosis.head import STRENGTHS, VERSION
from undegrade.diagnosis.severity import LEVELS
from undegrade.images.colour import blended
from undegrade.inference.backend import Backend
from undegrade.inference.openvino import OpenVinoBackend
from undegrade.inference.treatment import steered, surely
from undegrade.inference.ways import measure, needs_network, repair
from undegrade.metrics import quantise
from undegrade.training.specimens import SIDES, Pixels, Specimen, draw_specimen

PIECE = 250  # specimens that are kept together
MEASURED_SHARE = 0.7  # of the repairs that can go by what was measured; the others are the model's alone
TURNS_SHARE = 0.5  # of the specimens in which both of two are seen that are tried in turn
LEAST_ERROR = 1e-5  # mean square, 50 dB: pictures closer to the clean one than that count as equally good


@dataclass(frozen=True, kw_only=True, eq=False)
class Observations:
    """One row a specimen.

    Args:
        before: (N, num_context), of the spoiled crop.
        after: (N, num_context), of the repaired one.
        evidence: (N, E), what the repair did.
        treated: (N, K), 1 for each kind that was repaired.
        gains: (N, S), dB, of each of `STRENGTHS`.
        present: (N, K), as in `Specimen`.
        levels: (N, K), as in `Specimen`.
        ways: (N,), as in `Specimen`.
        names: (N,), the specimens' labels.
    """

    before: Pixels
    after: Pixels
    evidence: Pixels
    treated: Pixels
    gains: Pixels
    present: Pixels
    levels: Pixels
    ways: NDArray[np.str_]
    names: NDArray[np.str_]


def observe(backend: Backend, specimens: Iterable[Specimen], *, kinds: tuple[str, ...], seed: int) -> Observations:
    """Run the model on specimens, and on what it makes of them.

    Often what is there is repaired, often one of what the grader takes to be there, which the gate would try, or two
    that it would try in turn; at times what the model itself holds for likeliest, or anything: a check has to have seen
    wrong repairs too.
    """
    rows = []
    for number, specimen in enumerate(specimens):
        rng = np.random.default_rng((seed, number))
        made, before = backend.run(specimen.degraded)
        treated = _treated(specimen, before, backend.labels, kinds, rng)
        restored, after = specimen.degraded, before
        for kind in treated:
            measured = measure(kind, (restored,)) if len(treated) == 1 and rng.random() < MEASURED_SHARE else None
            if needs_network(measured) and not surely(after, backend.labels, kind):
                made, _ = backend.run(restored, steered(after, backend.labels, kind))
            network = partial(np.asarray, made)
            restored = np.clip(repair(restored, measured, network, finished=kind in backend.finished), 0, 1)
            made, after = backend.run(restored)
        gains = [_gain(specimen, blended(specimen.degraded, restored.copy(), strength)) for strength in STRENGTHS]
        mask = [kind in treated for kind in kinds]
        rows.append((before, after, evidence(specimen.degraded, restored), mask, gains, specimen))
    first = [np.array(column) for column in zip(*(row[:5] for row in rows), strict=True)]
    found = [row[5] for row in rows]
    return Observations(
        before=first[0],
        after=first[1],
        evidence=first[2],
        treated=first[3].astype(np.float32),
        gains=first[4].astype(np.float32),
        present=np.array([specimen.present for specimen in found]),
        levels=np.array([specimen.levels for specimen in found]),
        ways=np.array([specimen.way for specimen in found]),
        names=np.array([specimen.label for specimen in found]),
    )


def _treated(
    specimen: Specimen, context: Pixels, labels: tuple[str, ...], kinds: tuple[str, ...], rng: np.random.Generator
) -> tuple[str, ...]:
    """What is to be repaired, first thing first."""
    end = len(context) - len(labels) - len(kinds) * len(LEVELS)
    there, graded = np.flatnonzero(specimen.present == 1), np.flatnonzero(context[end - len(kinds) : end] > 0)
    turns = [pair for pair in IN_TURN if all(kind in kinds and kinds.index(kind) in graded for kind in pair)]
    if turns and rng.random() < TURNS_SHARE:
        return turns[0]
    draw = rng.random()
    if len(there) and draw < 0.45:
        return (kinds[rng.choice(there)],)
    if len(graded) and draw < 0.85:
        return (kinds[rng.choice(graded)],)
    if draw < 0.95:
        logits = dict(zip(labels, context[-len(labels) :], strict=True))
        return (max(kinds, key=logits.__getitem__),)
    return (kinds[rng.integers(len(kinds))],)


def _gain(specimen: Specimen, repaired: Pixels) -> float:
    before, after = (
        max(LEAST_ERROR, float(np.square(picture - specimen.clean).mean()))
        for picture in (specimen.degraded, quantise(repaired))
    )
    return 10 * float(np.log10(before / after))


@dataclass(frozen=True, kw_only=True)
class Series:
    """Specimens that are observed, in pieces that are kept.

    Args:
        name: of the pieces' files.
        model: the exported model.
        photos: folder of clean photographs.
        part: of them: "train" or "held_out".
        count: of specimens.
        kinds: that the model grades.
        others: that it does not, some of which are among the specimens.
        seed: of the specimens.
        sides: of their crops, pixels, by turns.
    """

    name: str
    model: Path
    photos: Path
    part: str
    count: int
    kinds: tuple[str, ...]
    others: tuple[str, ...]
    seed: int
    sides: tuple[int, ...] = SIDES


def observe_series(
    series: Series, folder: Path, *, workers: int, tell: Callable[[int], None] = lambda done: None
) -> Observations:
    """Observe them all, in several processes; pieces that lie in the folder from an earlier call are not made again.

    Args:
        series: what.
        folder: for the pieces.
        workers: processes.
        tell: told how many specimens are done.
    """
    firsts = range(0, series.count, PIECE)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = 0
        for path in pool.map(partial(_observe_piece, series, folder), firsts):
            done = min(series.count, done + PIECE)
            tell(done)
            assert path.exists()
    pieces = [np.load(_piece(series, folder, first)) for first in firsts]
    names = [field.name for field in fields(Observations)]
    return Observations(**{name: np.concatenate([piece[name] for piece in pieces]) for name in names})


def _observe_piece(series: Series, folder: Path, first: int) -> Path:
    path = _piece(series, folder, first)
    if path.exists():
        return path
    torch.set_num_threads(1)
    photos, backend = _open(series.photos, series.part, series.model)
    numbers = range(first, min(first + PIECE, series.count))
    specimens = (
        draw_specimen(
            photos,
            number,
            kinds=series.kinds,
            others=series.others,
            seed=series.seed,
            side=series.sides[number % len(series.sides)],
        )
        for number in numbers
    )
    found = observe(backend, specimens, kinds=series.kinds, seed=series.seed + first)
    with written_whole(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **{field.name: getattr(found, field.name) for field in fields(Observations)})
    return path


def _piece(series: Series, folder: Path, first: int) -> Path:
    kept = f"{VERSION}x{NUM_EVIDENCE}"  # pieces from when other things were observed are not taken for these
    return folder / f"{series.name}-{kept}-{first:06}.npz"


@cache
def _open(photos: Path, part: str, model: Path) -> tuple[CleanFolder, OpenVinoBackend]:
    """Once a process: decoded photographs stay in memory."""
    return CleanFolder(photos, part=part), OpenVinoBackend(model, threads=1)
