"""From the probabilities of a model to a name and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from undegrade.batch import CLEAN
from undegrade.diagnosis.severity import Severity
from undegrade.errors import UndegradeError

UNKNOWN = "unknown"  # the label of what the model was not trained on
SURE, LIKELY = 0.8, 0.5  # from these probabilities on the sentence says so plainly, or "likely"; below, "perhaps"

PHRASES = {
    CLEAN: "nothing wrong that I know of: left alone",
    UNKNOWN: "something that I do not know: left alone",
    "noise": "noise",
    "jpeg": "JPEG artefacts",
    "motion_blur": "motion blur from a shaken camera",
    "defocus_blur": "out of focus",
    "haze": "haze",
    "rain": "rain streaks",
    "snow": "falling snow",
    "low_light": "too little light",
    "mosaic": "false colours and zippers from a sensor's colour mosaic",
    "inpainting": "scratches or lines drawn over it",
    "banding_noise": "bands of sensor noise",
    "camera_noise": "camera noise",
    "film_grain": "film grain",
    "poisson_noise": "photon noise",
    "salt_and_pepper": "white and black pixels strewn over it",
    "speckle_noise": "speckle",
    "gaussian_blur": "blur",
    "generalised_gaussian_blur": "blur",
    "plateau_blur": "blur",
    "depth_blur": "out of focus in places",
    "ringing": "ringing along edges",
    "rotation_blur": "blur from a turning camera",
    "zoom_blur": "blur from zooming",
    "downsampling": "too few pixels",
    "pixelation": "coarse blocks of one colour",
    "double_jpeg": "artefacts of repeated JPEG compression",
    "webp": "WebP artefacts",
    "avif": "AVIF artefacts",
    "mpeg2": "MPEG-2 artefacts",
    "mpeg4": "MPEG-4 artefacts",
    "h264": "H.264 artefacts",
    "hevc": "HEVC artefacts",
    "fog": "fog",
    "dust": "dust in the air",
    "rain_veil": "heavy rain",
    "raindrops": "drops on the lens",
    "colour_cast": "a colour cast",
    "faded": "faded colours",
    "light_leak": "a light leak",
    "over_exposure": "too much light",
    "shadow": "a shadow across it",
    "uneven_illumination": "uneven light",
    "chromatic_aberration": "colour fringes from the lens",
    "dead_pixels": "dead or stuck pixels",
    "moire": "moire from a photographed screen",
    "quantisation": "too few levels of brightness",
    "under_display": "the haze and glare of a camera behind a display",
    "vignetting": "dark corners",
    "xtrans_mosaic": "false colours from a sensor's colour mosaic",
    "dust_spots": "dust and hairs",
    "folds": "folds",
    "halftone": "the dots of a print",
    "missing_blocks": "missing blocks",
    "missing_emulsion": "torn or peeled patches",
    "stains": "stains",
    "text_overlay": "text laid over it",
    "watermark": "a watermark",
}


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What is wrong with a picture.

    Args:
        label: the most probable one; "clean" where nothing is found, "unknown" where something is that the model was
            not trained on, or where the picture is too small to tell.
        probability: of `label`, in [0, 1].
        probabilities: of every label, the most probable first; they sum to 1, but for a model that names several.
        sentence: the diagnosis in plain words.
        present: what is wrong, the most probable first: one label, or as many as a model that names several finds;
            none where nothing is.
        severities: how badly, of each of `present`; none without a calibration.
        families: of each of `present`, as in the catalogue; none without a calibration.
        strangeness: how far the picture is from all that the model knows: above 1, farther than 95 % of known ones are;
            None without a calibration.
    """

    label: str
    probability: float
    probabilities: dict[str, float]
    sentence: str
    present: tuple[str, ...]
    severities: dict[str, Severity] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)
    strangeness: float | None = None

    @property
    def healthy(self) -> bool:
        """Nothing is wrong that is known."""
        return self.label == CLEAN


def name(probabilities: NDArray[np.floating], labels: Sequence[str]) -> Diagnosis:
    """The diagnosis that a model's probabilities amount to.

    >>> name(np.array([0.1, 0.6, 0.3]), ("clean", "rain", "haze")).sentence
    'likely rain streaks'

    Args:
        probabilities: (num_labels,), in [0, 1], summing to 1.
        labels: their names.

    Raises:
        UndegradeError: there are not as many probabilities as labels, or they are no probabilities.
    """
    ranked = _ranked(probabilities, labels)
    if abs(probabilities.sum() - 1) >= 1e-3:
        raise UndegradeError(f"probabilities: {probabilities.tolist()}; expected values in [0, 1] that sum to 1")
    label, probability = next(iter(ranked.items()))
    return Diagnosis(
        label=label,
        probability=probability,
        probabilities=ranked,
        sentence=_phrase(label, probability),
        present=() if label == CLEAN else (label,),
    )


def name_all(probabilities: NDArray[np.floating], labels: Sequence[str]) -> Diagnosis:
    """The diagnosis of a model that names several degradations of one picture, each with a probability of its own.

    What has at least `LIKELY` is present. Where nothing is, the picture is `clean`, with the probability that it has
    none of them: the product of all 1 - p.

    >>> name_all(np.array([0.9, 0.1, 0.6]), ("haze", "noise", "rain")).sentence
    'haze and likely rain streaks'
    >>> name_all(np.array([0.2, 0.5, 0.1]) / 2, ("haze", "noise", "rain")).label
    'clean'

    Args:
        probabilities: (num_labels,), in [0, 1].
        labels: their names.

    Raises:
        UndegradeError: there are not as many probabilities as labels, or they are no probabilities.
    """
    ranked = _ranked(probabilities, labels)
    present = tuple(label for label, probability in ranked.items() if probability >= LIKELY)
    if not present:
        none = float(np.prod(1 - probabilities.astype(np.float64)))
        return Diagnosis(label=CLEAN, probability=none, probabilities=ranked, sentence=PHRASES[CLEAN], present=())
    *first, last = [_phrase(label, ranked[label]) for label in present]
    sentence = f"{', '.join(first)} and {last}" if first else last
    return Diagnosis(
        label=present[0], probability=ranked[present[0]], probabilities=ranked, sentence=sentence, present=present
    )


def _ranked(probabilities: NDArray[np.floating], labels: Sequence[str]) -> dict[str, float]:
    """The probabilities by label, the greatest first; refuses what are none."""
    if probabilities.shape != (len(labels),) or not labels:
        raise UndegradeError(f"probabilities: shape {probabilities.shape}; expected ({len(labels)},), one a label")
    if not (np.isfinite(probabilities).all() and probabilities.min() >= 0 and probabilities.max() <= 1 + 1e-3):
        raise UndegradeError(f"probabilities: {probabilities.tolist()}; expected values in [0, 1]")
    return {labels[i]: float(probabilities[i]) for i in np.argsort(-probabilities, kind="stable")}


def _phrase(label: str, probability: float) -> str:
    # A model of one's own may have labels that are not listed; their names have to do.
    doubt = "" if probability >= SURE else "likely " if probability >= LIKELY else "perhaps "
    return doubt + PHRASES.get(label, label.replace("_", " "))
