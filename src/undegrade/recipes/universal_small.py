"""The small universal restorer that undegrade ships."""

from __future__ import annotations

from dataclasses import replace

from undegrade.data.mixture import MixtureConfig
from undegrade.degradations import DEGRADATIONS, TEN
from undegrade.networks import DegradationClassifier, NAFNet
from undegrade.objectives import DegradationClassification, Restoration
from undegrade.recipes.debug import debug
from undegrade.training.recipe import Recipe, Stage


def universal_small() -> Recipe:
    """NAFNet of width 32 on a folded picture, ten degradations: name them, then remove them.

    About 100 minutes on two CPU cores with bfloat16.
    """
    # Small patches first: three times the steps in the same time.
    restoring = Stage(
        objective=Restoration.Config(loss="psnr", naming_weight=1.0),
        steps=6_000,
        crop=64,
        lr_floor=1.0,
        betas=(0.9, 0.99),
        clip=1.0,
        ema=0.999,
    )
    exact = replace(restoring.objective, psnr_floor=1e-4)
    decided = replace(restoring.objective, psnr_floor=3e-4, rmse_weight=200.0, sharpness=4.0)
    return Recipe(
        name="universal-small",
        network=NAFNet.Config(
            width=32,
            encoder=(1, 2, 4),
            middle=4,
            decoder=(1, 1, 2),
            unshuffle=2,
            detail_gain=8.0,
            zero_output=True,
        ),
        classifier=DegradationClassifier.Config(num_blocks=1, max_channels=48, norm="batch"),
        mixture=MixtureConfig(degradations=tuple(DEGRADATIONS[name]() for name in TEN)),
        steered=True,
        sharpness=16.0,  # what is repaired is what was named
        stages=(
            # The output convolution starts at zero, so clean pictures pass unchanged without drawing them.
            Stage(
                objective=DegradationClassification.Config(drawn="nothing"),
                steps=3_000,
                crop=64,
                warmup=50,
                betas=(0.9, 0.99),
            ),
            restoring,
            replace(restoring, objective=exact, steps=2_400, crop=96),
            # Larger patches last: scratches, flakes and haze thin out in them as in a whole picture. And the likeliest
            # label decides, so that a doubtful one may be repaired in earnest: haze was left alone before.
            replace(restoring, objective=decided, steps=4_800, crop=128, batch=8, lr_floor=1e-3),
        ),
    )


def universal_small_debug() -> Recipe:
    """The same path in seconds; what the end-to-end test runs."""
    return debug(universal_small())
