"""What the diagnosis is worth: names, levels, the unknown, places, and the harm that repairs do.

Pictures are centre crops of 256 pixels of clean photographs that no training has seen, spoiled by the catalogue at
levels of its severities; picture n of a kind and level has seed n. Prints JSON. docs/diagnosis.md has the tables, which
`python diagnosis_tables.py results/diagnosis.json --into ../docs/diagnosis.md` writes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score, roc_auc_score

from machine import facts
from undegrade import Restorer
from undegrade.degradations import COMPOUNDS, DEGRADATIONS, find_step, replay
from undegrade.degradations.chain import single_names
from undegrade.diagnosis import Gate
from undegrade.diagnosis.head import sigmoid
from undegrade.diagnosis.severity import LEVELS, frechet_mean
from undegrade.evaluation.run import centre_crop
from undegrade.images import Picture, find_pictures, read_picture
from undegrade.inference.locating import locate
from undegrade.inference.models import DEFAULT_MODEL
from undegrade.inference.rows import Held
from undegrade.metrics import psnr, quantise, ssim
from undegrade.training.specimens import first_level, guises_of

Pixels = NDArray[np.float32]
Result = dict[str, object]

CROP = 256  # pixels
SEVERITIES = (0.1, 0.3, 0.5, 0.7, 0.9)  # levels
SEEN = 40.0  # dB: what changes a picture less is not counted as there, nor as missed
BINS = 10  # of probabilities, for the calibration error
GOOD = 45.0  # dB: a clean picture that is changed less counts as unharmed


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A spoiled crop and what is true of it."""

    clean: Pixels
    degraded: Pixels
    kinds: tuple[str, ...]  # that can be seen
    level: float
    source: str  # the set


def spoil(clean: Pixels, name: str, level: float, seed: int, source: str) -> Sample:
    """One kind, or a mixture, at a level."""
    rng = torch.Generator().manual_seed(seed)
    if name in DEGRADATIONS:
        step = DEGRADATIONS[name]()
        degraded = step.degrade(torch.from_numpy(clean), rng, step.at_level(level)).numpy()
        kinds = (name,)
    else:
        records = find_step(name).plan(rng, (level, level))
        degraded = replay(torch.from_numpy(clean), records).numpy()
        kinds = tuple(single_names(find_step(name)))
    degraded = quantise(degraded)
    seen = psnr(degraded, clean) < SEEN
    return Sample(clean=clean, degraded=degraded, kinds=kinds if seen else (), level=level, source=source)


def crops(sets: Sequence[Path]) -> list[tuple[str, Pixels]]:
    """Set and centre crop of each picture, rounded to 8 bits."""
    found = []
    for folder in sets:
        for path in find_pictures(folder):
            found.append((folder.name, quantise(centre_crop(read_picture(path).pixels, CROP))))
    return found


def see(restorer: Restorer, pixels: Pixels) -> Pixels:
    """The context of a crop, (1, C)."""
    return restorer.see(pixels)[None]


def measure_names(restorer: Restorer, photos: Sequence[tuple[str, Pixels]]) -> Result:
    """Top-1 and mean average precision of single kinds and of CDD-11's mixtures; calibration; levels."""
    head = gate_of(restorer).head
    rows: list[tuple[Sample, str, Pixels]] = []
    for number, (source, clean) in enumerate(photos):
        rows.append(
            (Sample(clean=clean, degraded=clean, kinds=(), level=0, source=source), "clean", see(restorer, clean))
        )
        for kind in head.kinds:
            for level in SEVERITIES:
                sample = spoil(clean, kind, level, number, source)
                rows.append((sample, kind, see(restorer, sample.degraded)))
        for name in (name for name in COMPOUNDS if name.startswith("cdd11_") and name.count("_") > 1):
            if set(single_names(find_step(name))) <= set(head.kinds):
                sample = spoil(clean, name, 0.5, number, source)
                rows.append((sample, name, see(restorer, sample.degraded)))
        tell(f"names {number + 1}/{len(photos)}")
    reading = head.read(np.concatenate([context for *_, context in rows]))
    calibrated, plain = sigmoid(reading.logits), sigmoid(reading.own)
    truth = np.array([[kind in sample.kinds for kind in head.kinds] for sample, *_ in rows])
    names = np.array([name for _, name, _ in rows])
    single = np.isin(names, head.kinds) & (truth.sum(1) == 1)
    mixed = np.char.startswith(names, "cdd11_") & (truth.sum(1) > 1)
    clean = names == "clean"
    # A weak degradation that cannot be seen is neither there nor absent.
    sure = clean | single | mixed
    guess = np.where(calibrated.max(1) >= 0.5, calibrated.argmax(1), len(head.kinds))
    actual = np.where(single, truth.argmax(1), len(head.kinds))
    confusion = np.zeros((len(head.kinds) + 1,) * 2, int)
    np.add.at(confusion, (actual[single | clean], guess[single | clean]), 1)
    return {
        "pictures": len(photos),
        "top1_of_visible": share(calibrated.argmax(1)[single] == truth.argmax(1)[single]),
        "named_of_visible": share(guess[single] == truth.argmax(1)[single]),
        "clean_called_clean": share(guess[clean] == len(head.kinds)),
        "average_precision": {
            kind: rounded(average_precision_score(truth[single | clean, k], calibrated[single | clean, k]))
            for k, kind in enumerate(head.kinds)
        },
        "mean_average_precision": mean_precision(truth, calibrated, single | clean),
        "mean_average_precision_of_cdd11": mean_precision(truth, calibrated, mixed | clean),
        "calibration_error_before": calibration_error(plain[sure], truth[sure]),
        "calibration_error_after": calibration_error(calibrated[sure], truth[sure]),
        "confusion": {"labels": [*head.kinds, "clean"], "rows_are_true": confusion.tolist()},
        "levels": levels_of(head, rows, reading, single),
    }


def levels_of(head, rows, reading, single) -> Result:  # type: ignore[no-untyped-def]
    """Mean absolute errors of the first severity, in levels and in its unit, by three ways of reading it.

    The plain regression is a ridge from the embedding, fitted on the first set and tried on the others.
    """
    answer: Result = {}
    first = rows[0][0].source
    for k, (kind, scale) in enumerate(zip(head.kinds, head.scales, strict=True)):
        own = single & np.array([name == kind for _, name, _ in rows])
        tried = own & np.array([sample.source != first for sample, *_ in rows])
        fitted = own & ~tried
        if not scale.field or not tried.any() or not fitted.any():
            continue
        truth = np.array([first_level(kind, DEGRADATIONS[kind]().at_level(sample.level)) for sample, *_ in rows])
        ridge = Ridge(1.0).fit(reading.embedding[fitted], truth[fitted])
        guesses = {
            "frechet": frechet_mean(reading.levels[tried, k]),
            "argmax": LEVELS[reading.levels[tried, k].argmax(1)],
            "regression": ridge.predict(reading.embedding[tried]).clip(0, 1),
        }
        actual = [scale.value(level) for level in truth[tried].tolist()]
        values = {
            name: np.abs(np.subtract([scale.value(level) for level in guess.tolist()], actual)).mean()
            for name, guess in guesses.items()
        }
        answer[kind] = {
            "field": scale.field,
            "unit": scale.unit,
            "range": [scale.low, scale.high],
            "pictures": int(tried.sum()),
            "error_in_levels": {name: rounded(np.abs(guess - truth[tried]).mean()) for name, guess in guesses.items()},
            "error_in_unit": {name: rounded(value) for name, value in values.items()},
        }
    return answer


def measure_unknown(restorer: Restorer, photos: Sequence[tuple[str, Pixels]]) -> Result:
    """How well what the model was not trained on is told from what it was: area under the ROC curve."""
    head = gate_of(restorer).head
    unknown = [name for name in DEGRADATIONS if name not in (*head.kinds, *guises_of(head.kinds))]
    known, strange = [], {name: [] for name in unknown}  # type: ignore[var-annotated]
    called: dict[str, list[bool]] = {name: [] for name in (*strange, "known")}
    for number, (source, clean) in enumerate(photos):
        for kind in (None, *head.kinds):
            pixels = clean if kind is None else spoil(clean, kind, 0.5, number, source).degraded
            known.append(judged(restorer, pixels, called["known"]))
        for name, found in strange.items():
            found.append(judged(restorer, spoil(clean, name, 0.6, number, source).degraded, called[name]))
        tell(f"unknown {number + 1}/{len(photos)}")
    areas = {
        name: roc_auc_score([0] * len(known) + [1] * len(found), [*known, *found]) for name, found in strange.items()
    }
    met = [name for name in DEGRADATIONS if name not in head.kinds][::2]
    both = {"met_while_calibrating": met, "never_met": [name for name in strange if name not in met]}
    return {
        "pictures": len(photos),
        "area_of_each": {name: rounded(area) for name, area in sorted(areas.items(), key=lambda item: -item[1])},
        **{f"mean_area_{which}": rounded(np.mean([areas[name] for name in names])) for which, names in both.items()},
        "called_unknown": {name: share(found) for name, found in called.items()},
    }


def measure_left_out(restorer: Restorer, photos: Sequence[tuple[str, Pixels]]) -> Result:
    """Leave one degradation out: the area under the ROC curve of each known kind, if the memory had never held it.

    The memory is made anew of the first half of the photographs, clean and with every other kind at three levels; the
    second half is judged. The embedding itself was learned with all kinds.
    """
    head = gate_of(restorer).head
    half = len(photos) // 2
    places: dict[tuple[str, bool], list[Pixels]] = {}
    for number, (source, clean) in enumerate(photos):
        for kind, level in [("clean", 0.0), *((kind, level) for kind in head.kinds for level in (0.3, 0.5, 0.7))]:
            pixels = clean if kind == "clean" else spoil(clean, kind, level, number, source).degraded
            embedding = head.read(see(restorer, pixels)).embedding
            places.setdefault((kind, number < half), []).append(head.places(embedding)[0])
    tell("left out")
    areas = {}
    for kind in head.kinds:
        rest = [other for other in ("clean", *head.kinds) if other != kind]
        memory = np.concatenate([np.stack(places[other, True]) for other in rest])
        without = replace(head, familiar=memory, middle=head.middle * 0, width=head.width * 0 + 1, strangest=1.0)
        usual = without.strangeness(np.concatenate([np.stack(places[other, False]) for other in rest]))
        strange = without.strangeness(np.stack(places[kind, False]))
        areas[kind] = rounded(roc_auc_score([0] * len(usual) + [1] * len(strange), [*usual, *strange]))
    return {"pictures": len(photos), "area_of_each": areas, "mean_area": rounded(np.mean(list(areas.values())))}


def judged(restorer: Restorer, pixels: Pixels, called: list[bool]) -> float:
    """Strangeness; and whether it is called unknown."""
    found = restorer.diagnose(Picture(pixels=pixels))
    called.append(found.label == "unknown")
    assert found.strangeness is not None
    return found.strangeness


def measure_places(restorer: Restorer, photos: Sequence[tuple[str, Pixels]]) -> Result:
    """Intersection over union of the map with the truth, where the left half is spoiled."""
    head = gate_of(restorer).head
    answer = {}
    for kind in head.kinds:
        scores = []
        for number, (source, clean) in enumerate(photos):
            degraded = clean.copy()
            half = clean.shape[2] // 2
            degraded[:, :, :half] = spoil(clean, kind, 0.8, number, source).degraded[:, :, :half]
            found = locate(restorer, Held(Picture(pixels=degraded))).of(kind) >= 0.5
            truth = np.zeros_like(found)
            truth[:, :half] = True
            scores.append((found & truth).sum() / max(1, (found | truth).sum()))
        answer[kind] = rounded(np.mean(scores))
        tell(f"places {kind}")
    return {"pictures": len(photos), "crop": int(photos[0][1].shape[1]), "level": 0.8, "union": answer}


def measure_harm(
    restorers: dict[str, Restorer], photos: Sequence[tuple[str, Pixels]], clean: Sequence[Path], pairs: Sequence[Path]
) -> Result:
    """What repairs do: to whole clean pictures, to each kind at each level, and to pairs of others."""
    answer: Result = {}
    for name, restorer in restorers.items():
        kinds = gate_of(restorers["gate"]).head.kinds
        well = []
        for path in (path for folder in clean for path in find_pictures(folder)):
            photo = quantise(read_picture(path).pixels)
            well.append({**repair(restorer, photo, photo), "set": path.parent.name, "name": path.stem})
        tell(f"harm {name} clean")
        table = {}
        for kind in kinds:
            for level in SEVERITIES:
                samples = [spoil(photo, kind, level, number, source) for number, (source, photo) in enumerate(photos)]
                table[f"{kind} {level}"] = summary([repair(restorer, s.degraded, s.clean) for s in samples])
            tell(f"harm {name} {kind}")
        real = {}
        for folder in pairs:
            files = find_pictures(folder / "input")
            read = [[read_picture(folder / side / file.name).pixels for side in ("input", "target")] for file in files]
            real[folder.name] = summary([repair(restorer, one, other) for one, other in read])
            tell(f"harm {name} {folder.name}")
        touched = [row for row in well if row["changed"]]
        answer[name] = {
            "clean": {
                "pictures": len(well),
                "untouched": share([not row["changed"] for row in well]),
                "unharmed": share([not row["changed"] or row["after"] > GOOD for row in well]),
                "touched": [{key: row[key] for key in ("set", "name", "after", "ssim")} for row in touched],
            },
            "degraded": table,
            "pairs": real,
        }
    return answer


def repair(restorer: Restorer, degraded: Pixels, clean: Pixels) -> dict[str, Any]:
    """What became of one picture."""
    restored = restorer.restore(Picture(pixels=degraded))
    after = quantise(restored.picture.pixels)
    return {
        "changed": restored.changed,
        "before": min(99.0, psnr(degraded, clean)),
        "after": rounded(min(99.0, psnr(after, clean))),
        "ssim": rounded(ssim(after, clean)),
    }


def summary(rows: Sequence[dict[str, Any]]) -> Result:
    """Gains of several pictures, dB."""
    gains = np.array([row["after"] - row["before"] for row in rows])
    return {
        "pictures": len(rows),
        "changed": share([bool(row["changed"]) for row in rows]),
        "psnr_in": rounded(np.mean([row["before"] for row in rows])),
        "gain": rounded(gains.mean()),
        "gain_p5": rounded(np.percentile(gains, 5)),
        "gain_worst": rounded(gains.min()),
    }


def measure_speed(restorer: Restorer, photo: Pixels) -> Result:
    """Seconds to diagnose 12 megapixels in memory, after loading; the median of nine."""
    picture = Picture(pixels=np.tile(photo, (1, 12, 16))[:, :3000, :4000].copy())
    times = []
    for _ in range(10):
        began = time.perf_counter()
        restorer.diagnose(picture)
        times.append(time.perf_counter() - began)
    return {"megapixels": 12, "seconds": rounded(np.median(times[1:])), "least": rounded(min(times))}


def gate_of(restorer: Restorer) -> Gate:
    """Its judge, which has to be a calibrated one."""
    if not isinstance(restorer.judge, Gate):
        sys.exit("the model has no calibration beside it; write one with undegrade calibrate")
    return restorer.judge


def mean_precision(truth: Pixels, odds: Pixels, rows: Pixels) -> float:
    """The mean over the kinds that occur of their average precision."""
    there = [k for k in range(truth.shape[1]) if truth[rows, k].any()]
    return rounded(np.mean([average_precision_score(truth[rows, k], odds[rows, k]) for k in there]))


def calibration_error(odds: Pixels, truth: Pixels) -> float:
    """Expected calibration error over all kinds: how far shares are from probabilities, weighted by bins."""
    flat, actual = odds.ravel(), truth.ravel()
    places = np.minimum((flat * BINS).astype(int), BINS - 1)
    parts = [(places == b) for b in range(BINS)]
    return rounded(sum(p.mean() * abs(flat[p].mean() - actual[p].mean()) for p in parts if p.any()))


def share(values: Sequence[bool] | Pixels) -> float:
    """Of those that are true."""
    return rounded(np.mean(values))


def rounded(value: float) -> float:
    """To four digits after the point."""
    return round(float(value), 4)


def tell(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


SECTIONS = ("names", "unknown", "left_out", "places", "harm", "speed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=Path, nargs="+", required=True, help="sets of clean pictures, one a folder")
    parser.add_argument("--pairs", type=Path, nargs="*", default=[], help="folders with input/ and target/")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument(
        "--most", type=int, default=10**6, help="crops of each set, at most; clean pictures are all tried"
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--out", type=Path, help="write here, beside the sections that are there; else print")
    given = parser.parse_args()
    torch.set_num_threads(1)
    gate = Restorer(given.model)
    photos = [photo for folder in given.clean for photo in crops([folder])[: given.most]]
    whole = [
        (folder.name, quantise(read_picture(p).pixels)) for folder in given.clean[:1] for p in find_pictures(folder)
    ]
    steps: dict[str, Callable[[], Result]] = {
        "names": lambda: measure_names(gate, photos),
        "unknown": lambda: measure_unknown(gate, [photo for photo in photos if photo[0] == photos[0][0]]),
        "left_out": lambda: measure_left_out(gate, [photo for photo in photos if photo[0] == photos[0][0]]),
        "places": lambda: measure_places(gate, whole[: given.most]),
        "harm": lambda: measure_harm(
            {"gate": gate, "force": Restorer(given.model, force=True)}, photos, given.clean, given.pairs
        ),
        "speed": lambda: measure_speed(gate, photos[0][1]),
    }
    answer: Result = json.loads(given.out.read_text()) if given.out and given.out.exists() else {}
    answer["machine"] = facts()
    for name in given.sections:
        answer[name] = steps[name]()
        if given.out:
            given.out.write_text(json.dumps(answer, indent=2) + "\n")
    if not given.out:
        print(json.dumps(answer, indent=2))


if __name__ == "__main__":
    main()
