"""Everything that spoils a picture: one file each, and the catalogue of them all."""

from undegrade.degradations.base import Degradation
from undegrade.degradations.chain import Chain
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


def parse(text: str) -> Degradation:
    """The catalogue's degradation that `text` names, such as "noise(sigma=25)"; see `spec.parse`."""
    return parse_spec(text, DEGRADATIONS)


__all__ = ["DEGRADATIONS", "Chain", "Degradation", "parse"]
