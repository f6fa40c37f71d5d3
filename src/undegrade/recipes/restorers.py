"""The networks of other papers with the settings they were published with, without a pre-training.

Four of them train on five degradations: noise from clean photographs, and pairs of rain, haze, low light and motion
blur (docs/recipes.md says which). Ours is, as in `published_5d`, that every label is drawn equally often, and that a
classifier is fitted to the finished network. Steps are the published epochs, of some 4,450 batches each. With DCPT
before them: `undegrade train published-5d --set network=adair`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from undegrade.data.mixture import MixtureConfig
from undegrade.networks import AdaIR, DegradationClassifier, DiffIR, DWFormer, HOGformer, PIPRestormer, TextPromptIR
from undegrade.objectives import PriorDiffusion, Probe, Restoration
from undegrade.recipes.debug import debug
from undegrade.recipes.published import published_5d
from undegrade.training.recipe import Recipe, Stage

EPOCH = 4_450  # batches of 32
RESTORING = Stage(
    objective=Restoration.Config(),
    steps=150 * EPOCH,
    batch=32,
    crop=128,
    lr=2e-4,
    lr_floor=1e-3,
    warmup=15 * EPOCH,
    weight_decay=0.01,
    bf16=False,
)
NAMING = Stage(objective=Probe.Config(), steps=10_000, batch=32, crop=128, lr=1e-4, warmup=0, bf16=False)
SMALL: dict[str, Any] = {"width": 8, "blocks": (1, 0, 0, 1), "refinement": 0}  # of the debug twins


def published_adair() -> Recipe:
    """AdaIR on five degradations: L1, 150 epochs; four GPUs for days."""
    return _five("published-adair", AdaIR.Config(), RESTORING)


def published_hogformer() -> Recipe:
    """HOGformer on five: L1, correlation and histograms, which its paper leaves out in the last five epochs."""
    objective = Restoration.Config(correlation_weight=1.0, histogram_weight=1.0)
    return _five("published-hogformer", HOGformer.Config(), replace(RESTORING, objective=objective, batch=35))


def published_pip() -> Recipe:
    """PIP on Restormer, on five degradations of which it is told the one it meets: smooth L1, prompts kept apart."""
    objective = Restoration.Config(loss="smooth_l1", crowding_weight=0.002)
    stage = replace(RESTORING, objective=objective, batch=48, lr=3.6e-4, steps=120 * EPOCH, warmup=10 * EPOCH)
    return _five("published-pip", PIPRestormer.Config(degradations=5), stage)


def published_textpromptir() -> Recipe:
    """TextPromptIR on five degradations, told one of 16 sentences for each; needs the extra `text`."""
    network = TextPromptIR.Config(embedding=384, kinds=5, number=16)
    return _five("published-textpromptir", network, replace(RESTORING, batch=6))


def published_diffir() -> Recipe:
    """DiffIR on motion blur: the prior of the pair, its diffusion alone, then both together; four GPUs for weeks."""
    pair = Stage(
        objective=PriorDiffusion.Config(learned="pair"),
        steps=300_000,
        batch=32,
        crop=192,
        lr=2e-4,
        lr_floor=1e-6 / 2e-4,
        warmup=0,
        ema=0.999,
        bf16=False,
    )
    alone = replace(pair, objective=PriorDiffusion.Config(picture_weight=0.0), steps=100_000, betas=(0.9, 0.99))
    both = replace(alone, objective=PriorDiffusion.Config(), steps=300_000)
    return Recipe(
        name="published-diffir",
        network=DiffIR.Config(source="both"),
        classifier=DegradationClassifier.Config(),
        mixture=MixtureConfig(pairs=("motion_blur",), clean_class=False),
        stages=(pair, alone, both),
    )


def published_dwformer() -> Recipe:
    """DWFormer on pictures from under a display: L1, 300 epochs of batches of 64."""
    stage = replace(RESTORING, steps=300_000, batch=64, lr=1e-4, lr_floor=1e-2, warmup=0, weight_decay=0.0)
    return Recipe(
        name="published-dwformer",
        network=DWFormer.Config(),
        classifier=DegradationClassifier.Config(),
        mixture=MixtureConfig(pairs=("under_display",), clean_class=False),
        stages=(stage,),
    )


def _five(name: str, network: object, stage: Stage) -> Recipe:
    return replace(published_5d(), name=name, network=network, stages=(stage, NAMING))


def published_adair_debug() -> Recipe:
    """The path of published-adair in seconds."""
    return debug(published_adair(), AdaIR.Config(**{**SMALL, "width": 24}))


def published_hogformer_debug() -> Recipe:
    """The path of published-hogformer in seconds."""
    return debug(published_hogformer(), HOGformer.Config(**SMALL, heads=(1, 1, 2, 2), expansion=2))


def published_pip_debug() -> Recipe:
    """The path of published-pip in seconds."""
    return debug(published_pip(), PIPRestormer.Config(**SMALL, prompt_channels=(8, 8, 8), prompt_sides=(4, 4, 4)))


def published_textpromptir_debug() -> Recipe:
    """The path of published-textpromptir in seconds."""
    return debug(published_textpromptir(), TextPromptIR.Config(**SMALL, embedding=384, kinds=5, number=4))


def published_diffir_debug() -> Recipe:
    """The path of published-diffir in seconds."""
    return debug(published_diffir(), DiffIR.Config(**SMALL, source="both", encoder_blocks=1))


def published_dwformer_debug() -> Recipe:
    """The path of published-dwformer in seconds."""
    return debug(published_dwformer(), DWFormer.Config(widths=(8, 8, 8, 8, 8), blocks=(1, 1, 1, 1, 1)))
