"""The models that undegrade ships: told what to remove, on ten degradations alone and in pairs."""

from __future__ import annotations

from dataclasses import replace

from undegrade.data.mixture import MixtureConfig
from undegrade.degradations import DEGRADATIONS, TEN
from undegrade.networks import DegradationClassifier, GuidedCascade, GuidedUNet
from undegrade.objectives import DegradationClassification, Relighting, SelectiveRestoration
from undegrade.recipes.debug import debug
from undegrade.training.recipe import Recipe, Stage

# Of the pictures by label: about 5 over how hard they pull at the filters (benchmarks/pull.py).
WEIGHTS = {
    "clean": 1.0,
    "noise": 0.4,
    "jpeg": 1.0,
    "motion_blur": 1.0,
    "defocus_blur": 1.0,
    "haze": 0.03,
    "rain": 0.2,
    "snow": 0.2,
    "low_light": 0.03,
    "mosaic": 0.8,
    "inpainting": 0.2,
}

# How often each label comes while the light is learned, and while each kind learns what is its own.
LIGHT = tuple({**dict.fromkeys(WEIGHTS, 1), "haze": 12, "low_light": 12}.values())
RARER = {"clean": 1, "jpeg": 1, "motion_blur": 2, "defocus_blur": 2, "haze": 2, "low_light": 2}
OWN = tuple({**dict.fromkeys(WEIGHTS, 3), **RARER}.values())
TOGETHER = tuple({**dict.fromkeys(WEIGHTS, 3), **RARER, "jpeg": 2}.values())  # and when all learn at once again
# Blur, haze and darkness are at their end by then; compression has seen the fewest pictures.
FEW = {"noise": 2, "jpeg": 4, "rain": 1, "snow": 1, "mosaic": 1, "inpainting": 1}
# What the larger network goes over, and how often each comes: what hides fine detail, not the light, nor blur, which is
# undone without a network.
FINISHED = {"noise": 2, "jpeg": 2, "rain": 1, "snow": 1, "mosaic": 1, "inpainting": 1}
# By then what is wrong in two ways is repaired in two steps.
STEPWISE = (("second", 0.5), ("singly", 0.9))
UNNAMED = (*STEPWISE, ("untold", 0))  # where what the names go by keeps still

SEEN = ("network.light.whole1", "network.light.whole2")  # of the light, and what the names go by, too
SHARED = (  # by all kinds and the names
    "classifier",
    *(f"network.{part}" for part in ("light", "lit", "glance", "intro", "downs", "ups")),
    *(f"*.{part}" for part in ("seen", "conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias")),
)
ADDED = ("*.own_in", "*.own_out")  # to what is shared, by each kind
UNLIT = ("network.light", "network.lit", *ADDED)  # what learns last


def release_default() -> Recipe:
    """The `default` model: name ten degradations, then remove what is asked for and leave the rest.

    About eighteen hours of one CPU core with bfloat16; two processes share the last stages (docs/experiments.md).
    """
    return Recipe(
        name="release-default",
        network=GuidedUNet.Config(own=1024),
        classifier=DegradationClassifier.Config(num_blocks=1, max_channels=48, norm="batch"),
        mixture=MixtureConfig(
            degradations=tuple(DEGRADATIONS[name]() for name in TEN),
            second=0.3,  # what lies beneath or above is to stay as it is
            partly=0.1,  # what is not there is not to be removed
            untold=5,
        ),
        sharpness=16.0,  # what is repaired is what was named
        holdout=10,
        stages=_stages(),
    )


def release_quality() -> Recipe:
    """The larger network of the `quality` model, which goes over what `default` makes of what hides fine detail.

    Begins with `--start` the weights of `default`, which stay as they are; about an hour and a half of one CPU core
    with bfloat16.
    """
    default = release_default()
    grain = _over(default.stages[-1], {"noise": 1, "jpeg": 1})
    return replace(
        default,
        name="release-quality",
        begins_with="default",
        network=GuidedCascade.Config(own=1024, finished=tuple(map(list(WEIGHTS).index, FINISHED))),
        stages=(
            replace(grain, steps=1_500, lr_floor=0.94),
            replace(_over(grain, FINISHED), steps=8_000),
        ),
    )


def _over(stage: Stage, kinds: dict[str, int]) -> Stage:
    """The second network alone, on a few kinds."""
    weights = tuple(kinds.get(label, 0) for label in WEIGHTS)
    return replace(
        stage,
        batch=8,
        lr=1e-3,
        mixture=tuple({**dict(stage.mixture), "weights": weights}.items()),
        still=("classifier", "network.first"),
        kinds=(),
    )


def _stages() -> tuple[Stage, ...]:
    restoring = Stage(
        objective=SelectiveRestoration.Config(psnr_floor=1e-3, rmse_weight=50.0),
        steps=1_000,
        crop=64,
        lr_floor=1.0,
        betas=(0.9, 0.99),
        clip=1.0,
        ema=0.999,
        still=UNLIT,
    )
    # A smaller floor from the start lets what shall stay as it is, whose errors are small, forbid all else.
    named = replace(restoring.objective, naming_weight=8.0)  # of 1, the names were not learned beside the pictures
    finer = replace(named, psnr_floor=3e-4)
    # Haze and darkness pull fifty times as hard at the filters as blur, mosaic and JPEG do (benchmarks/pull.py), which
    # then wait for them; so weighed, all pull alike. The names, learned by then, need no more than that either.
    level = replace(finer, psnr_floor=2e-4, naming_weight=1.0, label_weights=tuple(WEIGHTS.values()))
    # With so little weight low light got worse (docs/experiments.md, the second leg).
    lit = replace(level, label_weights=tuple({**WEIGHTS, "haze": 0.06, "low_light": 0.06}.values()))
    last = replace(
        restoring, objective=level, steps=9_000, crop=128, batch=20, optimizer="muon", lr=6e-4, lr_floor=0.01
    )
    return (
        # Pictures with two degradations, a quarter, go by the one they were drawn for.
        Stage(
            objective=DegradationClassification.Config(drawn="nothing"),
            steps=1_000,
            crop=64,
            warmup=50,
            betas=(0.9, 0.99),
            still=UNLIT,
        ),
        # Small patches first, for more steps in the same time; then larger ones, as scratches, flakes and haze thin
        # out in them as in a whole picture.
        restoring,
        replace(restoring, objective=named, steps=7_000),
        replace(restoring, objective=finer, steps=10_000, crop=128, batch=8, lr_floor=1e-3, warmup=0),
        last,
        replace(last, objective=lit, steps=8_000),
        _light(restoring),
        replace(last, objective=lit, steps=7_000, still=(UNLIT[0], *ADDED)),
        replace(_light(restoring), steps=3_000, lr=1e-3, mixture=(("weights", LIGHT), *UNNAMED), still=SEEN),
        # Each kind by itself but for the last convolution: what is named does not change.
        replace(last, objective=lit, steps=6_000, lr=8e-4, mixture=(("weights", OWN), *UNNAMED), still=SHARED),
        # Then all at once again, and the names with them.
        replace(last, objective=lit, steps=5_000, mixture=(("weights", TOGETHER), *STEPWISE), still=UNLIT[:1]),
        _alone(replace(last, objective=lit, steps=4_100), FEW),
        _alone(replace(last, objective=lit, steps=3_200, lr=5e-4), {"jpeg": 1}, second=0.25),
    )


def _alone(stage: Stage, kinds: dict[str, int], second: float = 0.5) -> Stage:
    """Then a few kinds by themselves once more, each so often, such a share of them spoiled twice."""
    weights = tuple(kinds.get(label, 0) for label in WEIGHTS)
    return replace(
        stage,
        mixture=tuple({"weights": weights, **dict(UNNAMED), "second": second}.items()),
        still=(*SHARED, "network.ending"),
        kinds=tuple(kinds),
    )


def _light(stage: Stage) -> Stage:
    """Guessing the light takes many pictures and little of the network, and large patches show more of it."""
    return replace(
        stage,
        objective=Relighting.Config(),
        steps=6_000,
        crop=192,
        batch=20,
        lr=2e-3,
        lr_floor=0.01,
        still=(),
        mixture=(("weights", LIGHT),),
    )


def release_default_debug() -> Recipe:
    """The same path in seconds; what the end-to-end test runs."""
    return debug(release_default(), GuidedUNet.Config(channels=(8, 8, 8), glance=8, own=32))


def release_quality_debug() -> Recipe:
    """The same path in seconds, but for the weights to begin with."""
    return debug(
        release_quality(),
        replace(release_quality().network, channels=(8, 8, 8), glance=8, own=32, wider=(8, 8), deeper=(1,)),
    )
