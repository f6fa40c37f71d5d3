"""DCPT from clean photographs alone: the twins of the published recipes, at a size that two CPU cores train.

The degradations are generated, healthy pictures are a class of their own, and the network is the small one of
`universal-small` without its steering. benchmarks/pretraining_gain.py compares pre-trainings on these recipes.
"""

from __future__ import annotations

from dataclasses import replace

from undegrade.data.mixture import MixtureConfig
from undegrade.degradations import FIVE, TEN, Step, find_step
from undegrade.degradations.compounds import CDD11_TOGETHER
from undegrade.objectives import DegradationClassification, Probe, Restoration
from undegrade.recipes.debug import debug
from undegrade.recipes.universal_small import universal_small
from undegrade.training.recipe import Recipe, Stage

NAMING = Stage(
    objective=DegradationClassification.Config(),
    steps=1_500,
    crop=64,
    betas=(0.9, 0.99),
    warmup=50,
    lr_floor=1.0,
)
RESTORING = Stage(
    objective=Restoration.Config(loss="psnr", rmse_weight=200.0),
    steps=6_000,
    crop=64,
    betas=(0.9, 0.99),
    clip=1.0,
    ema=0.999,
)
# The classifier is not trained while restoring, as published; it is fitted to the finished network.
NAMING_AGAIN = Stage(objective=Probe.Config(), steps=500, crop=64, betas=(0.9, 0.99), warmup=50)


def generated_5d() -> Recipe:
    """Rain, noise, haze, low light and motion blur from clean photographs. About 40 minutes on two CPU cores."""
    return _recipe("generated-5d", tuple(find_step(name) for name in FIVE))


def generated_10d() -> Recipe:
    """The ten degradations of DCPT from clean photographs. About 40 minutes on two CPU cores."""
    return _recipe("generated-10d", tuple(find_step(name) for name in TEN))


def generated_mixed() -> Recipe:
    """The eleven composites of CDD-11 from clean photographs. About 50 minutes on two CPU cores."""
    recipe = _recipe("generated-mixed", tuple(find_step(f"cdd11_{name}") for name in CDD11_TOGETHER))
    return replace(recipe, multi_label=True)


def _recipe(name: str, degradations: tuple[Step, ...]) -> Recipe:
    small = universal_small()
    return Recipe(
        name=name,
        network=small.network,
        classifier=small.classifier,
        mixture=MixtureConfig(degradations=degradations),
        stages=(NAMING, RESTORING, NAMING_AGAIN),
    )


def generated_5d_debug() -> Recipe:
    """The path of generated-5d in seconds."""
    return debug(generated_5d())


def generated_10d_debug() -> Recipe:
    """The path of generated-10d in seconds."""
    return debug(generated_10d())


def generated_mixed_debug() -> Recipe:
    """The path of generated-mixed in seconds."""
    return debug(generated_mixed())
