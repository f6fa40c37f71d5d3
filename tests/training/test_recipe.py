import json
from dataclasses import replace
from typing import Any

import pytest

from undegrade.data.mixture import MixtureConfig
from undegrade.degradations import DEGRADATIONS
from undegrade.errors import UndegradeError
from undegrade.networks import DegradationClassifier, NAFNet
from undegrade.objectives import DegradationClassification, Restoration
from undegrade.recipes import RECIPES
from undegrade.training.recipe import Recipe, Stage, override, to_json, with_defaults

STAGE = Stage(objective=Restoration.Config(), steps=1)
NOISE = DEGRADATIONS["noise"]()


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Stage, {"steps": 0}, "Stage.steps is 0; it must be at least 1"),
        (Stage, {"lr": 0.0}, "Stage.lr is 0.0; it must be above 0"),
        (Stage, {"lr": float("nan")}, "Stage.lr is nan"),
        (Stage, {"lr_floor": -0.1}, "Stage.lr_floor is -0.1"),
        (Stage, {"weight_decay": -1.0}, "Stage.weight_decay is -1.0"),
        (Stage, {"betas": (0.9, 1.0)}, "Stage.betas is"),
        (Stage, {"betas": (0.9,)}, "Stage.betas is"),
        (Stage, {"optimizer": "lion"}, "Stage.optimizer is 'lion'; it must be one of adamw, muon"),
        (Stage, {"ema": 1.0}, "Stage.ema is 1.0; it must be below 1"),
        (Recipe, {"stages": ()}, "Recipe.stages is empty"),
        (
            Recipe,
            {"stages": (STAGE, replace(STAGE, mixture=(("clean_class", False),)))},
            r"Recipe.stages.1.mixture has other labels; expected the recipe's",
        ),
        (
            Recipe,
            {"stages": (replace(STAGE, mixture=(("weights", (1, 2, 3)),)),)},
            r"Recipe.stages.0.mixture: MixtureConfig.weights is \(1, 2, 3\)",
        ),
        (
            Recipe,
            {"stages": (replace(STAGE, mixture=(("often", 1),)),)},
            "Recipe.stages.0.mixture: .*unexpected keyword argument 'often'",
        ),
        (Recipe, {"holdout": -1}, "Recipe.holdout is -1"),
        (MixtureConfig, {"degradations": ()}, "MixtureConfig.degradations is empty"),
        (MixtureConfig, {"degradations": (NOISE,), "seed": -1}, "MixtureConfig.seed is -1"),
        (NAFNet.Config, {"encoder": (1, -1), "decoder": (1, 1)}, r"NAFNet.Config.encoder is \(1, -1\)"),
        (NAFNet.Config, {"middle": -1}, "NAFNet.Config.middle is -1; it must be at least 0"),
        (NAFNet.Config, {"detail_gain": -1.0}, "NAFNet.Config.detail_gain is -1.0"),
        (NAFNet.Config, {"norm_eps": -1.0}, "NAFNet.Config.norm_eps is -1.0"),
        (DegradationClassifier.Config, {"num_blocks": -1}, "DegradationClassifier.Config.num_blocks is -1"),
        (DegradationClassifier.Config, {"max_channels": -1}, "DegradationClassifier.Config.max_channels is -1"),
        (DegradationClassification.Config, {"drawing_weight": -1.0}, "drawing_weight is -1.0"),
        (Restoration.Config, {"naming_weight": -1.0}, "Restoration.Config.naming_weight is -1.0"),
        (Restoration.Config, {"focal_gamma": -1.0}, "Restoration.Config.focal_gamma is -1.0"),
    ],
)
def test_what_cannot_be_run_is_refused_by_field_and_value(kind: type, fields: dict[str, Any], message: str) -> None:
    needed: dict[type, dict[str, Any]] = {
        Stage: {"objective": Restoration.Config(), "steps": 1},
        Recipe: {
            "name": "x",
            "network": NAFNet.Config(),
            "classifier": DegradationClassifier.Config(),
            "mixture": MixtureConfig(degradations=(NOISE,)),
            "stages": (STAGE,),
        },
    }
    with pytest.raises(ValueError, match=message):
        kind(**{**needed.get(kind, {}), **fields})


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("stages.0.steps", "expected KEY=VALUE"),
        ("stages.0.steps=many", "expected int, like"),
        ("stages.0.betas=('a', 'b')", "expected float, like 0.9"),
        ("network.encoder=(1, 2, 'x')", "expected int, like 1"),
        ("network.encoder=5", "expected tuple"),
        ("stages.9.steps=1", "no field '9'"),
        ("stages=()", "Recipe.stages is empty"),
        ("network.width=0", "NAFNet.Config.width is 0"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(setting: str, message: str) -> None:
    with pytest.raises(UndegradeError, match=f"^--set .*{message}"):
        override(RECIPES["universal-small"](), setting)


def test_a_setting_changes_one_field() -> None:
    recipe = override(RECIPES["universal-small"](), "stages.0.betas=(0.5, 0.6)")
    assert recipe.stages[0].betas == (0.5, 0.6)
    assert recipe.stages[1:] == RECIPES["universal-small"]().stages[1:]


def test_a_recipe_that_was_stored_before_a_field_came_is_the_same_recipe() -> None:
    now = json.loads(json.dumps(to_json(RECIPES["universal-small"]())))
    before = json.loads(json.dumps(now))
    del before["mixture"]["each_once"]
    assert before != now
    assert with_defaults(before) == now
    assert with_defaults({"kind": "recipe", "name": 1, "gone": 2}) == {"kind": "recipe", "name": 1, "gone": 2}
