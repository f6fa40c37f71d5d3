"""Kinds that a model was taught after its training, from a few pictures; its network and its head stay as they are.

Three ways of telling them, in the space of `Head.places`, where each kind that the model knows has a base:

- the nearest mean: a kind lies where its examples lie in the mean;
- calibrated (TEEN, "Few-Shot Class-Incremental Learning via Training-Free Prototype Calibration", 2023): the mean of
  few examples is off, so it is moved towards the bases that are like it: p' = a p + (1 - a) sum_b softmax(t p b) b;
- a cache (as in Tip-Adapter, 2022): the examples themselves count too, exp(-s (1 - x e)), the best of each kind.

`benchmarks/teaching.py` compares them.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undegrade.atomic import written_whole
from undegrade.diagnosis.head import Head, Numbers, softmax, unit
from undegrade.errors import UndegradeError

VERSION = 1
MOST = 20  # examples of a kind that are kept
KEPT = 0.5  # a of the calibration: how much of the mean of the examples stays
SHARPNESS = 16.0  # t of the calibration
NARROW = 8.0  # s of the cache


@dataclass(frozen=True, kw_only=True, eq=False)
class Taught:
    """Kinds and their examples.

    Args:
        names: of the kinds, T.
        examples: (n, E) of each, unit length.
    """

    names: tuple[str, ...] = ()
    examples: tuple[Numbers, ...] = ()

    def with_kind(self, name: str, places: Numbers) -> Taught:
        """One kind more, or the same one anew; its first `MOST` examples are kept."""
        others = self.without(name)
        return Taught(names=(*others.names, name), examples=(*others.examples, places[:MOST]))

    def without(self, name: str) -> Taught:
        """One kind less, if it is there."""
        kept = [i for i, own in enumerate(self.names) if own != name]
        return Taught(names=tuple(self.names[i] for i in kept), examples=tuple(self.examples[i] for i in kept))


Way = Callable[[Taught, Numbers, Numbers], Numbers]  # (taught, bases, places (N, E)) -> likeness (N, bases + T)


def nearest_mean(taught: Taught, bases: Numbers, places: Numbers) -> Numbers:
    """The cosine of each picture and each base or mean of examples, (N, B + T)."""
    means = unit(np.stack([examples.mean(0) for examples in taught.examples]))
    return places @ np.concatenate([bases, means]).T


def calibrated(taught: Taught, bases: Numbers, places: Numbers) -> Numbers:
    """`nearest_mean` with means that lean on the bases, (N, B + T)."""
    means = unit(np.stack([examples.mean(0) for examples in taught.examples]))
    leaning = softmax(SHARPNESS * means @ bases.T) @ bases
    moved = unit(KEPT * means + (1 - KEPT) * leaning)
    return places @ np.concatenate([bases, moved]).T


def cached(taught: Taught, bases: Numbers, places: Numbers) -> Numbers:
    """`nearest_mean`, half of which is the likeness to the nearest single example, (N, B + T)."""
    means = nearest_mean(taught, bases, places)
    single = np.stack([(places @ examples.T).max(1) for examples in taught.examples], axis=1)
    close = np.exp(-NARROW * (1 - single))
    answer = means.copy()
    answer[:, len(bases) :] = 0.5 * means[:, len(bases) :] + 0.5 * close
    return answer


WAYS: dict[str, Way] = {"nearest mean": nearest_mean, "calibrated": calibrated, "cached": cached}


def find_taught(head: Head, taught: Taught, embedding: Numbers) -> str | None:
    """The taught kind that parts of a picture, (N, E), are most like, if they are more like it than like any base."""
    if not taught.names:
        return None
    likeness = nearest_mean(taught, head.bases, head.places(embedding)).mean(0)
    best = int(likeness.argmax()) - len(head.bases)
    return taught.names[best] if best >= 0 else None


def save_taught(taught: Taught, path: Path) -> None:
    """Write them, whole or not at all; where there are none, the file goes."""
    if not taught.names:
        path.unlink(missing_ok=True)
        return
    about = json.dumps({"version": VERSION, "names": taught.names})
    arrays: dict[str, NDArray[np.float16]] = {
        f"examples.{i}": examples.astype(np.float16) for i, examples in enumerate(taught.examples)
    }
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, about=np.array(about), **arrays)  # type: ignore[arg-type]


def read_taught(path: Path) -> Taught:
    """What a file holds; nothing where there is none.

    Raises:
        UndegradeError: it is damaged or of another version.
    """
    if not path.exists():
        return Taught()
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if about.get("version") != VERSION:
                raise UndegradeError(f"{path}: version {about.get('version')}; this undegrade reads {VERSION}")
            names = tuple(about["names"])
            examples = tuple(file[f"examples.{i}"].astype(np.float32) for i in range(len(names)))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        raise UndegradeError(f"{path}: is damaged or no file of taught kinds; remove it and teach them anew") from None
    return Taught(names=names, examples=examples)
