"""Spoiled crops of clean photographs of which all is known: what a diagnosis is calibrated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from undegrade.data.folder import CleanFolder
from undegrade.degradations import DEGRADATIONS, Step, replay
from undegrade.degradations.camera_noise import CameraNoise
from undegrade.degradations.chain import Chain, single_names
from undegrade.degradations.jpeg import Jpeg
from undegrade.degradations.poisson_noise import PoissonNoise
from undegrade.diagnosis.severity import Scale
from undegrade.metrics import psnr, quantise

Pixels = NDArray[np.float32]

# Sides of the crops, pixels. Pictures are judged by samples of 256, of which more can be told than of small ones.
SIDES = (256, 192, 192, 128, 128, 96)
LARGE = (256, 192, 192)
# Of the samples: nothing wrong, one thing, two, three, and one thing that the model does not know.
SHARES = {"clean": 0.2, "one": 0.45, "two": 0.14, "three": 0.06, "other": 0.15}
# What happens to a picture on its way, first thing first: the scene, the lens, the sensor, the file, the print.
ORDER = (
    "haze",
    "rain",
    "snow",
    "low_light",
    "defocus_blur",
    "motion_blur",
    "mosaic",
    "noise",
    "jpeg",
    "inpainting",
)
# Of the steps, so many are drawn from the weakest part of the range, where a repair does harm more easily than good.
WEAK_SHARE, WEAK = 0.4, (0.0, 0.35)
WHOLE = (0.0, 1.0)
SEEN, UNSEEN = 40.0, 46.0  # dB: a step that changes the picture more is there, one that changes it less is not
# What else goes by a kind's name, and how often: a grader that has seen only even noise misses a camera's, in a file
# above all.
CAMERA = CameraNoise()
GUISES: dict[str, tuple[Step, ...]] = {
    "noise": (CAMERA, PoissonNoise(), Chain(steps=(CAMERA, Jpeg(quality=(80, 98))))),
}
GUISED = 0.4
# These hide each other, so that what a repair of one does is another thing where both are: so often of two or three.
TOGETHER, TOGETHER_SHARE = ("haze", "low_light"), 0.25
HIDES = {"low_light": ("noise",)}  # what comes with a kind, so that nobody can say whether it is there


@dataclass(frozen=True, kw_only=True, eq=False)
class Specimen:
    """A spoiled crop.

    Args:
        clean: (3, H, W) in [0, 1].
        degraded: the same crop spoiled, in steps of 1/255.
        present: (K,), 1 where a kind can be seen, 0 where it is not there, nan where it is in doubt.
        levels: (K,), the level in [0, 1] of a kind's first severity, nan where it was not applied, or in a guise.
        way: one of `SHARES`.
        label: the kinds of what was done, joined by "+"; "clean" where nothing was.
    """

    clean: Pixels
    degraded: Pixels
    present: Pixels
    levels: Pixels
    way: str
    label: str


def draw_specimen(
    photos: CleanFolder,
    number: int,
    *,
    kinds: Sequence[str],
    others: Sequence[str],
    seed: int,
    side: int,
) -> Specimen:
    """The specimen of that number; everything in it is drawn from (seed, number).

    Args:
        photos: clean ones.
        number: which.
        kinds: labels of the catalogue that the model knows.
        others: labels of the catalogue that it does not.
        seed: another one, other specimens.
        side: of the crop, pixels.
    """
    rng = np.random.default_rng((seed, number))
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    picture = clean = crop_of(photos.load(int(rng.integers(len(photos)))), rng, side)
    shares = np.array([share if others or name != "other" else 0 for name, share in SHARES.items()])
    way = str(rng.choice(list(SHARES), p=shares / shares.sum()))
    count = min(len(kinds), {"clean": 0, "one": 1, "two": 2, "three": 3, "other": 0}[way])
    names = _drawn(kinds, count, rng) if way != "other" else [str(rng.choice(others))]
    present, levels = np.zeros(len(kinds), np.float32), np.full(len(kinds), np.nan, np.float32)
    hidden = list[str]()
    for name in names:
        guise = _guise(name, rng) if way != "other" else None
        records = (guise or DEGRADATIONS[name]()).plan(generator, WEAK if rng.random() < WEAK_SHARE else WHOLE)
        before, picture = picture, replay(picture, records)
        if name in kinds:
            place = kinds.index(name)
            change = psnr(before.numpy(), picture.numpy())
            present[place] = 1 if change < SEEN else 0 if change > UNSEEN else np.nan
            levels[place] = np.nan if guise else first_level(name, records[0].severities)
        hidden += [*HIDES.get(name, ()), *(record.degradation for record in records if guise)]
    for other in hidden:
        if other in kinds and other not in names:
            present[kinds.index(other)] = np.nan
    return Specimen(
        clean=clean.numpy(),
        degraded=quantise(picture.numpy()),
        present=present,
        levels=levels,
        way=way,
        label="+".join(names) or "clean",
    )


def _drawn(kinds: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """So many of the kinds, in the order in which they happen."""
    names = [str(name) for name in rng.choice(kinds, count, replace=False)] if count else []
    if count > 1 and set(TOGETHER) <= set(kinds) and rng.random() < TOGETHER_SHARE:
        names = [*TOGETHER, *(name for name in names if name not in TOGETHER)][:count]
    return sorted(names, key=ORDER.index)


def _guise(name: str, rng: np.random.Generator) -> Step | None:
    """What comes in place of a kind, if anything does."""
    guises = GUISES.get(name, ())
    return guises[int(rng.integers(len(guises)))] if guises and rng.random() < GUISED else None


def guises_of(kinds: Sequence[str]) -> tuple[str, ...]:
    """What else of the catalogue goes by these names.

    >>> guises_of(("noise", "jpeg", "rain"))
    ('camera_noise', 'poisson_noise')
    """
    names = [name for kind in kinds for guise in GUISES.get(kind, ()) for name in single_names(guise)]
    return tuple(name for name in dict.fromkeys(names) if name not in kinds)


def first_level(name: str, severities: dict[str, float]) -> float:
    """Where the first severity of a degradation lies in its range, 0 the weakest and 1 the strongest; 1 without any.

    >>> first_level("noise", {"sigma": 10.0})
    0.2
    >>> first_level("jpeg", {"quality": 90.0, "chroma": 2.0})
    0.0
    """
    scale = scale_of(name)
    return scale.level(severities[scale.field]) if scale.field else 1.0


def scale_of(kind: str) -> Scale:
    """What the levels of a degradation of the catalogue are: the range of its first severity."""
    units = DEGRADATIONS[kind].units()
    if not units:
        return Scale()
    field, about = next(iter(units.items()))
    low, high = getattr(DEGRADATIONS[kind](), field)
    return Scale(field=field, unit=about.text, low=low, high=high, log=about.log, falling=about.falling)


def crop_of(photo: NDArray[np.uint8], rng: np.random.Generator, side: int) -> Tensor:
    """A random crop (3, h, w) in [0, 1]; half of them of the photo made smaller, as a file from elsewhere may be."""
    lacking = [max(0, side - length) for length in photo.shape[1:]]
    photo = np.pad(photo, ((0, 0), (0, lacking[0]), (0, lacking[1])), "symmetric")  # small photos are mirrored
    scale = float(rng.uniform(1, 2)) if rng.random() < 0.5 else 1.0
    scale = max(1.0, min(scale, min(photo.shape[1:]) / side))
    taken = min(round(side * scale), *photo.shape[1:])
    top, left = (int(rng.integers(length - taken + 1)) for length in photo.shape[1:])
    crop = torch.from_numpy(photo[:, top : top + taken, left : left + taken].astype(np.float32) / 255)
    if rng.random() < 0.5:
        crop = crop.flip(2)
    if taken > side:
        crop = F.interpolate(crop[None], (side, side), mode="bicubic", antialias=True)[0].clamp(0, 1)
    return torch.from_numpy(quantise(crop.numpy()))
