"""Everything that spoils a picture: one file each, and the catalogue of them all."""

from collections.abc import Iterable

import torch
from torch import Tensor

from undegrade.batch import Record
from undegrade.degradations.base import Degradation
from undegrade.degradations.chain import Chain, Step
from undegrade.degradations.compounds import compounds
from undegrade.degradations.defocus_blur import DefocusBlur
from undegrade.degradations.haze import Haze
from undegrade.degradations.inpainting import Scratches
from undegrade.degradations.jpeg import Jpeg
from undegrade.degradations.low_light import LowLight
from undegrade.degradations.mosaic import Mosaic
from undegrade.degradations.motion_blur import MotionBlur
from undegrade.degradations.noise import GaussianNoise
from undegrade.degradations.rain import Rain
from undegrade.degradations.snow import Snow
from undegrade.degradations.spec import parse as parse_spec
from undegrade.errors import UndegradeError

DEGRADATIONS: dict[str, type[Degradation]] = {
    "noise": GaussianNoise,
    "jpeg": Jpeg,
    "motion_blur": MotionBlur,
    "defocus_blur": DefocusBlur,
    "haze": Haze,
    "rain": Rain,
    "snow": Snow,
    "low_light": LowLight,
    "mosaic": Mosaic,
    "inpainting": Scratches,
}

# What the small model of the first release knows, and the standard table is measured on.
TEN = (
    "noise",
    "jpeg",
    "motion_blur",
    "defocus_blur",
    "haze",
    "rain",
    "snow",
    "low_light",
    "mosaic",
    "inpainting",
)


def parse(text: str) -> Degradation:
    """The catalogue's degradation that `text` names, such as "noise(sigma=25)"; see `spec.parse`."""
    return parse_spec(text, DEGRADATIONS)


COMPOUNDS: dict[str, Step] = compounds(parse) if "downsampling" in DEGRADATIONS else {}  # INTEGRATION


def find_step(text: str) -> Step:
    """The compound of that name, or the degradation that `text` names; errors as for `parse`."""
    return COMPOUNDS.get(text.strip().replace("-", "_")) or parse(text)


def replay(clean: Tensor, records: Iterable[Record]) -> Tensor:
    """Carry out what the records say, first thing first.

    Args:
        clean: (..., 3, H, W) in [0, 1]; left untouched, and returned itself where there are no records.
        records: drawn by `plan`, or read from a file.

    Raises:
        UndegradeError: a record names what the catalogue has not, or a severity out of range.
    """
    for record in records:
        degradation = _member(record)
        rng = torch.Generator().manual_seed(record.seed)
        clean = degradation.degrade(clean, rng, record.severities)
    return clean


def _member(record: Record) -> Degradation:
    if record.degradation not in DEGRADATIONS:
        return parse(record.degradation)  # which names what is near
    kind = DEGRADATIONS[record.degradation]
    if record.severities.keys() != kind.units().keys():
        known = ", ".join(kind.units()) or "none"
        raise UndegradeError(f"{record.degradation}: the record has {sorted(record.severities)}; expected {known}")
    return kind(**record.severities)


__all__ = ["COMPOUNDS", "DEGRADATIONS", "TEN", "Chain", "Degradation", "Step", "find_step", "parse", "replay"]
