"""Everything that spoils a picture: one file each, and the catalogue of them all."""

from collections.abc import Iterable

import torch
from torch import Tensor

from undegrade.batch import Record
from undegrade.degradations.avif import Avif
from undegrade.degradations.banding_noise import BandingNoise
from undegrade.degradations.base import Degradation
from undegrade.degradations.camera_noise import CameraNoise
from undegrade.degradations.chain import Chain, Step
from undegrade.degradations.chromatic_aberration import ChromaticAberration
from undegrade.degradations.colour_cast import ColourCast
from undegrade.degradations.compounds import compounds
from undegrade.degradations.dead_pixels import DeadPixels
from undegrade.degradations.defocus_blur import DefocusBlur
from undegrade.degradations.depth_blur import DepthBlur
from undegrade.degradations.double_jpeg import DoubleJpeg
from undegrade.degradations.downsampling import Downsampling
from undegrade.degradations.dust import Dust
from undegrade.degradations.dust_spots import DustSpots
from undegrade.degradations.faded import Faded
from undegrade.degradations.film_grain import FilmGrain
from undegrade.degradations.fog import Fog
from undegrade.degradations.folds import Folds
from undegrade.degradations.gaussian_blur import GaussianBlur
from undegrade.degradations.generalised_gaussian_blur import GeneralisedGaussianBlur
from undegrade.degradations.halftone import Halftone
from undegrade.degradations.haze import Haze
from undegrade.degradations.inpainting import Scratches
from undegrade.degradations.jpeg import Jpeg
from undegrade.degradations.light_leak import LightLeak
from undegrade.degradations.low_light import LowLight
from undegrade.degradations.missing_blocks import MissingBlocks
from undegrade.degradations.missing_emulsion import MissingEmulsion
from undegrade.degradations.moire import Moire
from undegrade.degradations.mosaic import Mosaic
from undegrade.degradations.motion_blur import MotionBlur
from undegrade.degradations.noise import GaussianNoise
from undegrade.degradations.over_exposure import OverExposure
from undegrade.degradations.pixelation import Pixelation
from undegrade.degradations.plateau_blur import PlateauBlur
from undegrade.degradations.poisson_noise import PoissonNoise
from undegrade.degradations.quantisation import Quantisation
from undegrade.degradations.rain import Rain
from undegrade.degradations.rain_veil import RainVeil
from undegrade.degradations.raindrops import Raindrops
from undegrade.degradations.ringing import Ringing
from undegrade.degradations.rotation_blur import RotationBlur
from undegrade.degradations.salt_and_pepper import SaltAndPepper
from undegrade.degradations.shadow import Shadow
from undegrade.degradations.snow import Snow
from undegrade.degradations.spec import parse as parse_spec
from undegrade.degradations.speckle_noise import SpeckleNoise
from undegrade.degradations.stains import Stains
from undegrade.degradations.text_overlay import TextOverlay
from undegrade.degradations.under_display import UnderDisplay
from undegrade.degradations.uneven_illumination import UnevenIllumination
from undegrade.degradations.video_codec import H264, Hevc, Mpeg2, Mpeg4
from undegrade.degradations.vignetting import Vignetting
from undegrade.degradations.watermark import Watermark
from undegrade.degradations.webp import Webp
from undegrade.degradations.xtrans_mosaic import XTransMosaic
from undegrade.degradations.zoom_blur import ZoomBlur
from undegrade.errors import UndegradeError

DEGRADATIONS: dict[str, type[Degradation]] = {
    # noise
    "noise": GaussianNoise,
    "banding_noise": BandingNoise,
    "camera_noise": CameraNoise,
    "film_grain": FilmGrain,
    "poisson_noise": PoissonNoise,
    "salt_and_pepper": SaltAndPepper,
    "speckle_noise": SpeckleNoise,
    # blur
    "motion_blur": MotionBlur,
    "defocus_blur": DefocusBlur,
    "gaussian_blur": GaussianBlur,
    "depth_blur": DepthBlur,
    "generalised_gaussian_blur": GeneralisedGaussianBlur,
    "plateau_blur": PlateauBlur,
    "ringing": Ringing,
    "rotation_blur": RotationBlur,
    "zoom_blur": ZoomBlur,
    # resolution
    "downsampling": Downsampling,
    "pixelation": Pixelation,
    # compression
    "jpeg": Jpeg,
    "double_jpeg": DoubleJpeg,
    "webp": Webp,
    "avif": Avif,
    "mpeg2": Mpeg2,
    "h264": H264,
    "hevc": Hevc,
    "mpeg4": Mpeg4,
    # weather
    "haze": Haze,
    "fog": Fog,
    "dust": Dust,
    "rain": Rain,
    "rain_veil": RainVeil,
    "raindrops": Raindrops,
    "snow": Snow,
    # light
    "low_light": LowLight,
    "colour_cast": ColourCast,
    "faded": Faded,
    "light_leak": LightLeak,
    "over_exposure": OverExposure,
    "shadow": Shadow,
    "uneven_illumination": UnevenIllumination,
    # sensor
    "mosaic": Mosaic,
    "chromatic_aberration": ChromaticAberration,
    "dead_pixels": DeadPixels,
    "moire": Moire,
    "quantisation": Quantisation,
    "under_display": UnderDisplay,
    "vignetting": Vignetting,
    "xtrans_mosaic": XTransMosaic,
    # damage
    "inpainting": Scratches,
    "dust_spots": DustSpots,
    "folds": Folds,
    "halftone": Halftone,
    "missing_blocks": MissingBlocks,
    "missing_emulsion": MissingEmulsion,
    "stains": Stains,
    "text_overlay": TextOverlay,
    "watermark": Watermark,
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
FIVE = ("rain", "noise", "haze", "low_light", "motion_blur")  # of DCPT's first benchmark


def parse(text: str) -> Degradation:
    """The catalogue's degradation that `text` names, such as "noise(sigma=25)"; see `spec.parse`."""
    return parse_spec(text, DEGRADATIONS)


COMPOUNDS: dict[str, Step] = compounds(parse)


def find_step(text: str) -> Step:
    """The compound of that name, or the degradation that `text` names; errors as for `parse`."""
    if not isinstance(text, str):  # such as a list of specs where each has to be given by itself
        raise UndegradeError(f'degradations: {text!r} is no text; expected such as "noise(sigma=25)", one by one')
    return COMPOUNDS.get(text.strip().replace("-", "_")) or parse_spec(text, DEGRADATIONS, COMPOUNDS)


def replay(clean: Tensor, records: Iterable[Record], depth: Tensor | None = None) -> Tensor:
    """Carry out what the records say, first thing first.

    Args:
        clean: (..., 3, H, W) in [0, 1]; left untouched, and returned itself where there are no records.
        records: drawn by `plan`, or read from a file.
        depth: (..., 1, H, W), from 0 at the camera to 1 at the farthest point, for haze and whatever else depends on
            distance; random maps are drawn unless it is given.

    Raises:
        UndegradeError: a record names what the catalogue has not, or a severity out of range; or the depth map has
            another size than the picture, or values outside 0 to 1.
    """
    if depth is not None:
        _check_depth(depth, clean)
    for record in records:
        degradation = _member(record)
        rng = torch.Generator().manual_seed(record.seed)
        clean = degradation.degrade(clean, rng, record.severities, depth)
    return clean


def _check_depth(depth: Tensor, clean: Tensor) -> None:
    (height, width), (rows, columns) = clean.shape[-2:], depth.shape[-2:]
    if (rows, columns) != (height, width):
        raise UndegradeError(f"depth: {columns} x {rows} pixels; expected those of the picture, {width} x {height}")
    low, high = depth.min().item(), depth.max().item()
    if not 0 <= low <= high <= 1:
        raise UndegradeError(f"depth: values from {low:g} to {high:g}; expected 0 (the camera) to 1 (the farthest)")


def _member(record: Record) -> Degradation:
    if record.degradation not in DEGRADATIONS:
        return parse(record.degradation)  # which names what is near
    kind = DEGRADATIONS[record.degradation]
    if record.severities.keys() != kind.units().keys():
        known = ", ".join(kind.units()) or "none"
        raise UndegradeError(f"{record.degradation}: the record has {sorted(record.severities)}; expected {known}")
    return kind(**record.severities)


__all__ = ["COMPOUNDS", "DEGRADATIONS", "FIVE", "TEN", "Chain", "Degradation", "Step", "find_step", "parse", "replay"]
