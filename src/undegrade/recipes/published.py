"""DCPT as published: the network of the paper, its data sets, its settings.

Paper: "Universal Image Restoration Pre-training via Degradation Classification", ICLR 2025 (3 to 10 degradations and
CDD-11); the twelve are those of MaskDCPT, 2025. Where the sets lie is said with `--pairs LABEL=DIR`; docs/recipes.md
lists them. The network is NAFNet of width 64; `--set network=restormer` takes another.

Ours are two things. Every label is drawn equally often, where the published proportions make rain 54 % of the five. And
at the end the classifier is fitted once more to the finished network, so that the checkpoint can name what it repairs.
"""

from __future__ import annotations

from undegrade.data.mixture import MixtureConfig
from undegrade.degradations import parse
from undegrade.degradations.chain import OneOf
from undegrade.networks import DegradationClassifier, NAFNet
from undegrade.objectives import DegradationClassification, Probe, Restoration
from undegrade.recipes.debug import debug
from undegrade.training.recipe import Recipe, Stage

LAST_RATE = 1e-6 / 3e-4  # as a share of the peak

THREE_NOISES = OneOf(
    label="noise",
    steps=(parse("noise(sigma=15..15)"), parse("noise(sigma=25..25)"), parse("noise(sigma=50..50)")),
)

STAGES = (
    Stage(
        objective=DegradationClassification.Config(),
        steps=100_000,
        batch=32,
        crop=128,
        lr=3e-4,
        lr_floor=LAST_RATE,
        classifier_lr=1e-4,
        classifier_weight_decay=1e-4,
        warmup=0,
        bf16=False,
    ),
    Stage(
        objective=Restoration.Config(),
        steps=750_000,
        batch=24,
        crop=128,
        lr=3e-4,
        lr_floor=LAST_RATE,
        warmup=0,
        clip=0.01,
        ema=0.999,
        bf16=False,
    ),
    Stage(objective=Probe.Config(), steps=10_000, batch=32, crop=128, lr=1e-4, warmup=0, bf16=False),
)


def published_3d() -> Recipe:
    """DCPT on noise, rain and haze: Gaussian noise on clean photographs, Rain100L, RESIDE OTS."""
    return Recipe(
        name="published-3d",
        network=NAFNet.Config(),
        classifier=DegradationClassifier.Config(),
        mixture=MixtureConfig(degradations=(THREE_NOISES,), pairs=("rain", "haze"), clean_class=False),
        stages=STAGES,
    )


def published_5d() -> Recipe:
    """DCPT on noise, rain, haze, low light and motion blur: Rain13K, RESIDE OTS, LOL, GoPro; the paper's main table."""
    return Recipe(
        name="published-5d",
        network=NAFNet.Config(),
        classifier=DegradationClassifier.Config(),
        mixture=MixtureConfig(
            degradations=(THREE_NOISES,),
            pairs=("rain", "haze", "low_light", "motion_blur"),
            clean_class=False,
        ),
        stages=STAGES,
    )


def published_10d() -> Recipe:
    """DCPT on ten: noise, JPEG, mosaic and lines from clean photographs; GoPro, DPDD, OTS, Rain13K, Snow100K, LOL."""
    return Recipe(
        name="published-10d",
        network=NAFNet.Config(),
        classifier=DegradationClassifier.Config(),
        mixture=MixtureConfig(
            degradations=(
                parse("noise(sigma=1..50)"),
                parse("jpeg(quality=10..50)"),
                parse("mosaic"),
                parse("inpainting(count=5..10, thickness=5..10)"),
            ),
            pairs=("motion_blur", "defocus_blur", "haze", "rain", "snow", "low_light"),
            clean_class=False,
        ),
        stages=STAGES,
    )


def published_12d() -> Recipe:
    """DCPT on the twelve of MaskDCPT: JPEG, Gaussian blur and mosaic from clean photographs, nine sets of pairs."""
    return Recipe(
        name="published-12d",
        network=NAFNet.Config(),
        classifier=DegradationClassifier.Config(),
        mixture=MixtureConfig(
            degradations=(parse("jpeg(quality=10..50)"), parse("gaussian_blur"), parse("mosaic")),
            pairs=(
                "rain",
                "haze",
                "snow",
                "raindrops",
                "low_light",
                "motion_blur",
                "defocus_blur",
                "real_noise",
                "moire",
            ),
            clean_class=False,
        ),
        stages=STAGES,
    )


def published_cdd11() -> Recipe:
    """DCPT on CDD-11: low light, haze, rain and snow, alone and together, eleven labels from one folder."""
    return Recipe(
        name="published-cdd11",
        network=NAFNet.Config(),
        classifier=DegradationClassifier.Config(),
        multi_label=True,
        mixture=MixtureConfig(
            pairs=(
                "low",
                "haze",
                "rain",
                "snow",
                "low_haze",
                "low_rain",
                "low_snow",
                "haze_rain",
                "haze_snow",
                "low_haze_rain",
                "low_haze_snow",
            ),
            clean_class=False,
        ),
        stages=STAGES,
    )


def published_3d_debug() -> Recipe:
    """The path of published-3d in seconds."""
    return debug(published_3d())


def published_5d_debug() -> Recipe:
    """The path of published-5d in seconds."""
    return debug(published_5d())


def published_10d_debug() -> Recipe:
    """The path of published-10d in seconds."""
    return debug(published_10d())


def published_12d_debug() -> Recipe:
    """The path of published-12d in seconds."""
    return debug(published_12d())


def published_cdd11_debug() -> Recipe:
    """The path of published-cdd11 in seconds."""
    return debug(published_cdd11())
