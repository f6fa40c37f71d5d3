"""Kinds that are taught from a few pictures, one after the other: how well they are named, and what is forgotten.

Examples are crops of photographs to learn from, tests are crops of others. Five kinds that the model does not know are
added in turn; after each, all that are known by then are tried: the ways of `undegrade.diagnosis.taught` by the
number of examples. Prints JSON: `python teaching.py --clean PHOTOS --test KODAK24 > results/teaching.json`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diagnosis import crops, gate_of, rounded, spoil, tell
from machine import facts
from undegrade import Restorer
from undegrade.diagnosis.taught import WAYS, Taught
from undegrade.inference.models import DEFAULT_MODEL

Places = NDArray[np.float32]

ADDED = ("watermark", "halftone", "pixelation", "stains", "moire")
SHOTS = (1, 5, 20)
DRAWS = 5  # of the examples; the mean counts
LEVEL = 0.6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=Path, required=True, help="photographs for examples")
    parser.add_argument("--test", type=Path, required=True, help="other photographs")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    given = parser.parse_args()
    torch.set_num_threads(1)
    restorer = Restorer(given.model)
    head = gate_of(restorer).head
    known = ("clean", *head.kinds)
    seen, tests = ([photo for _, photo in crops([folder])] for folder in (given.clean, given.test))
    seen = seen[:: max(1, len(seen) // 40)][:40]

    def places(photos: list[Places], kind: str, first: int) -> Places:
        tell(f"{kind}, {len(photos)} pictures")
        made = [c if kind == "clean" else spoil(c, kind, LEVEL, first + n, "").degraded for n, c in enumerate(photos)]
        contexts = np.stack([restorer.see(picture) for picture in made])
        return head.places(head.read(contexts).embedding)

    examples = {kind: places(seen, kind, 10_000) for kind in ADDED}
    truth = {kind: places(tests, kind, 0) for kind in (*known, *ADDED)}
    answer = {
        way: {
            str(shots): averaged(
                [course(way, shots, draw, examples, truth, head.bases, known) for draw in range(DRAWS)]
            )
            for shots in SHOTS
        }
        for way in WAYS
    }
    print(
        json.dumps({"added": ADDED, "level": LEVEL, "tests": len(tests), "ways": answer, "machine": facts()}, indent=2)
    )


def course(
    way: str,
    shots: int,
    draw: int,
    examples: dict[str, Places],
    truth: dict[str, Places],
    bases: Places,
    known: tuple[str, ...],
) -> dict[str, list[float]]:
    """After each added kind: the share of new pictures named rightly, and of old ones not taken for new."""
    rng, taught = np.random.default_rng(draw), Taught()
    new, old, first = [], [], []
    for number, kind in enumerate(ADDED):
        taught = taught.with_kind(kind, examples[kind][rng.permutation(len(examples[kind]))[:shots]])
        found = {name: WAYS[way](taught, bases, own).argmax(1) - len(bases) for name, own in truth.items()}
        hits = [float((found[name] == place).mean()) for place, name in enumerate(ADDED[: number + 1])]
        new.append(float(np.mean(hits)))
        first.append(hits[0])
        old.append(float(np.mean([(found[name] < 0).mean() for name in known])))
    return {"new_named_rightly": new, "old_kept": old, "first_one_named_rightly": first}


def averaged(courses: list[dict[str, list[float]]]) -> dict[str, object]:
    """The mean over the draws; what was forgotten of the first one, and the mean over the whole course."""
    curves = {name: np.mean([one[name] for one in courses], axis=0) for name in courses[0]}
    first = curves["first_one_named_rightly"]
    return {
        **{name: [rounded(value) for value in curve] for name, curve in curves.items()},
        "average": rounded(curves["new_named_rightly"].mean()),
        "forgotten_of_the_first": rounded(first[0] - first[-1]),
    }


if __name__ == "__main__":
    main()
