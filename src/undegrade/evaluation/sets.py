"""The standard test sets by name: how many pictures they have, how they lie, and what is measured on them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from undegrade.data.decoding import PixelCache
from undegrade.data.folder import Files, PictureSet, open_set
from undegrade.data.pack import is_pack
from undegrade.data.pairs import find
from undegrade.data.shards import is_sharded
from undegrade.errors import UndegradeError

DATA = "UNDEGRADE_DATA"  # environment variable: a folder of test sets
DECODED = 256 * 2**20  # bytes of decoded pictures that a process keeps
NOISE = ("noise(sigma=15)", "noise(sigma=25)", "noise(sigma=50)")
JPEG = ("jpeg(quality=10)", "jpeg(quality=20)", "jpeg(quality=30)", "jpeg(quality=40)")


@dataclass(frozen=True, kw_only=True)
class StandardSet:
    """A published test set.

    Args:
        about: what it is.
        count: of pictures, or of pairs.
        layout: one of `data.layouts.LAYOUTS`; "" finds out.
        kind: what is wrong with its pictures, for a set of pairs; "" where they say so themselves.
        steps: what clean pictures are spoiled by, for a set of clean ones.
        sha256: of all names and pixels (`fingerprint`), where the usual version of it is known.
    """

    about: str
    count: int
    layout: str = ""
    kind: str = ""
    steps: tuple[str, ...] = ()
    sha256: str = ""


def _clean(count: int, about: str, steps: tuple[str, ...] = NOISE, sha256: str = "") -> StandardSet:
    return StandardSet(count=count, about=about, layout="clean", steps=steps, sha256=sha256)


def _pairs(count: int, about: str, kind: str, layout: str = "") -> StandardSet:
    return StandardSet(count=count, about=about, layout=layout, kind=kind)


SETS: dict[str, StandardSet] = {
    "CBSD68": _clean(
        68,
        "Berkeley segmentation, colour test pictures",
        sha256="0fdf67261be35277923c1972213bfd589ef9dcb2ba2dcfa07fc4958fd87d773a",
    ),
    "Kodak24": _clean(
        24,
        "Kodak's lossless photographs",
        sha256="60a7003016db96c80ab448d5a980b10d2ea4548120d08da30eb9ecb6db5147cb",
    ),
    "Urban100": _clean(100, "city pictures with repeated structure"),
    "McMaster": _clean(18, "crops with strong colours"),
    "Set14": _clean(14, "pictures of the trade since the seventies"),
    "Classic5": _clean(5, "gray pictures for JPEG", JPEG),
    "LIVE1": _clean(29, "pictures for JPEG and for judging quality", JPEG),
    "Rain100L": _pairs(100, "light rain", "rain", "rain13k"),
    "Rain100H": _pairs(100, "heavy rain", "rain", "rain13k"),
    "SOTS-indoor": _pairs(500, "RESIDE's haze over indoor pictures", "haze"),
    "SOTS-outdoor": _pairs(500, "RESIDE's haze over outdoor pictures", "haze"),
    "GoPro": _pairs(1111, "frames averaged to motion blur", "motion_blur", "gopro"),
    "HIDE": _pairs(2025, "motion blur of people", "motion_blur"),
    "RealBlur-J": _pairs(980, "real camera shake, from the camera's JPEG", "motion_blur"),
    "RealBlur-R": _pairs(980, "real camera shake, from raw files", "motion_blur"),
    "LOL-v1": _pairs(15, "short and long exposures", "low_light", "lol"),
    "LOL-v2-real": _pairs(100, "short and long exposures", "low_light"),
    "LOL-v2-synthetic": _pairs(100, "pictures made dark", "low_light"),
    "Snow100K-S": _pairs(16_611, "small flakes", "snow", "snow100k"),
    "Snow100K-M": _pairs(16_588, "flakes of medium size", "snow", "snow100k"),
    "Snow100K-L": _pairs(16_801, "large flakes", "snow", "snow100k"),
    "CDD-11": _pairs(2200, "haze, rain, snow and low light, alone and together; a label each", "", "cdd11"),
    "DPDD": _pairs(76, "wide and narrow apertures", "defocus_blur", "source_target"),
    "SIDD": _pairs(1280, "noise of telephones, blocks of 256 pixels", "noise"),
    "Nam": _pairs(13, "noise of cameras, crops of 512 pixels", "noise"),
}


def find_set(name: str, given: Path | None) -> Path:
    """Where a set lies: `given` itself where it is called so, in `given`, or in the folder `UNDEGRADE_DATA`.

    Raises:
        UndegradeError: it is not there; names the places that were looked at.
    """
    tried = []
    if given is not None:
        if given.name == name and given.exists():
            return given
        tried.append(given / name)
    if os.environ.get(DATA):
        tried.append(Path(os.environ[DATA]) / name)
    for path in tried:
        if path.exists():
            return path
    looked = f"looked for {', '.join(map(str, tried))}" if tried else f"give --data, or set {DATA}"
    raise UndegradeError(f"set {name}: not found; {looked}")


def open_pictures(folder: Path, layout: str | None) -> tuple[PictureSet, list[str]]:
    """The pictures of a folder, a pack or shards, and what is wrong with them: those that have no partner are left out.

    Raises:
        UndegradeError: there is nothing that could be measured.
    """
    if is_pack(folder) or is_sharded(folder):
        return open_set(folder), []
    found = find(folder, layout)
    problems = [f"{folder / name}: {reason}" for name, reason in found.unpaired.items()]
    problems += [f"{folder / name}: no degraded picture for it" for name in found.unused]
    problems += [f"{folder / name}: belongs to no pair" for name in found.others if found.paired]
    if not found.pairs:
        raise UndegradeError(f"{folder}: no pair is whole; {problems[0]}")
    return (
        Files(found, PixelCache(DECODED)) if problems else open_set(folder, layout, cache=PixelCache(DECODED))
    ), problems


def fingerprint(pictures: PictureSet) -> str:
    """SHA-256 of the names (without endings, in order), sizes and pixels of a set, in whatever format they lie."""
    digest = hashlib.sha256()
    for number, pair in enumerate(pictures.pairs):
        degraded, clean = pictures.load(number)
        for name, pixels in ((pair.degraded, degraded), (pair.clean, clean)):
            digest.update(f"{Path(name).stem} {pixels.shape}\n".encode())
            digest.update(pixels.tobytes())
    return digest.hexdigest()


def what_is_wrong(name: str, pictures: PictureSet) -> str | None:
    """Why the pictures are not those of the standard set; None where they may be, or none is so called."""
    known = SETS.get(name)
    if known is None:
        return None
    count = len(pictures.pairs)
    if count != known.count:
        return f"{pictures.root}: {count} pictures, and {name} has {known.count}: its scores are of a part of it"
    if known.sha256 and fingerprint(pictures) != known.sha256:
        return f"{pictures.root}: other names or pixels than the usual {name} has, by their checksum"
    return None
