"""What every recipe of the catalogue promises; the debug twins are carried out for real, and interrupted."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from undegrade.data.mixture import MixtureConfig, open_mixture
from undegrade.data.places import Place
from undegrade.degradations import Chain, parse
from undegrade.degradations.chain import Maybe, OneOf, RandomOrder
from undegrade.errors import UndegradeError
from undegrade.evaluation.validation import validate
from undegrade.images import Picture, write_picture
from undegrade.networks import Restormer, UniversalRestorer
from undegrade.networks.checkpoint import load_checkpoint, read_header, save_checkpoint
from undegrade.objectives import MaskedImageModelling
from undegrade.recipes import RECIPES
from undegrade.training import run as run_file
from undegrade.training.fitting import lies_in
from undegrade.training.recipe import Recipe, Stage, dumps, from_json, override, to_json
from undegrade.training.run import CHECKPOINT, Pace, Run, build

DEBUG = [name for name in RECIPES if name.endswith("-debug")]
INTERRUPTED = ["universal-small-debug", "published-5d-debug"]  # steered on photos alone; on pairs too, with a probe
# Saves are rarer than steps, so that an interrupted run has steps to do again.
PACE = Pace(log=1, save=2, validate=3, workers=0)

every_recipe = pytest.mark.parametrize("name", RECIPES)


def every_debug_twin(test: Callable) -> Callable:
    """The test of a twin that is carried out, which takes some seconds with the imports."""
    marked: Callable = pytest.mark.slow(pytest.mark.parametrize("name", DEBUG)(test))
    return marked


def two_debug_twins(test: Callable) -> Callable:
    """The same of the two that are also broken off in many places; all go through the same loop."""
    marked: Callable = pytest.mark.slow(pytest.mark.parametrize("name", INTERRUPTED)(test))
    return marked


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five small pictures, and beside them the same as pairs."""
    folder = tmp_path_factory.mktemp("photos") / "clean"
    for place in (folder, folder.parent / "pairs" / "target", folder.parent / "pairs" / "input"):
        place.mkdir(parents=True)
    for number in range(5):
        coarse = np.random.default_rng(number).random((3, 6, 7), dtype=np.float32)
        pixels = coarse.repeat(8, 1).repeat(8, 2)
        write_picture(Picture(pixels=pixels), folder / f"{number}.png")
        write_picture(Picture(pixels=pixels), folder.parent / "pairs" / "target" / f"{number}.png")
        write_picture(Picture(pixels=0.5 * pixels), folder.parent / "pairs" / "input" / f"{number}.png")
    return folder


class Interrupted(Exception):
    """Stands for a power cut."""


def carry_out(
    recipe: Recipe, photos: Path, folder: Path, *, resume: bool = False, stop: tuple[int, int, str] | None = None
) -> list[dict[str, float]]:
    """The lines of the log; broken off at the `stop`: stage, step, and "log" (before the save) or "val" (after it)."""
    lines: list[dict[str, float]] = []
    pairs = tuple(Place(label=label, folder=photos.parent / "pairs") for label in recipe.mixture.pairs)
    mixture = open_mixture(recipe.mixture, photos, pairs, part="all", holdout=0, batch=2, crop=32)
    held_out = [mixture.make_batch(0)]

    def show(line: dict[str, float]) -> None:
        lines.append(line)
        kind = "val" if any(key.startswith("val_") for key in line) else "log"
        if stop == (line["stage"], line["step"], kind):
            raise Interrupted

    run = Run(
        recipe=recipe,
        clean=photos,
        folder=folder,
        validate=lambda model: validate(model, held_out, recipe.mixture.labels),
        show=show,
        pace=PACE,
        pairs=pairs,
    )
    assert run.train(resume=resume) == folder / CHECKPOINT
    return lines


def final_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Float32, as the run ended; the checkpoint beside them has to be their float16 copy, statistics as they are."""
    weights: dict[str, torch.Tensor] = torch.load(folder / "state.pt", weights_only=True)["model"]
    model = load_checkpoint(folder / CHECKPOINT)
    kept, halved = model.state_dict(), {name for name, _ in model.named_parameters()}
    for key, value in weights.items():
        assert torch.equal(kept[key], value.half().float() if key in halved else value), key
    return weights


@pytest.fixture(scope="module")
def uninterrupted(
    photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, list[dict[str, float]]]]:
    """The run of a debug twin from beginning to end: its folder and log; each is carried out once."""
    done: dict[str, tuple[Path, list[dict[str, float]]]] = {}

    def find(name: str) -> tuple[Path, list[dict[str, float]]]:
        if name not in done:
            folder = tmp_path_factory.mktemp("run") / name
            done[name] = folder, carry_out(RECIPES[name](), photos, folder)
        return done[name]

    return find


@every_recipe
def test_it_builds_under_its_own_name_and_says_what_it_is(name: str) -> None:
    recipe = RECIPES[name]()
    assert recipe.name == name
    assert recipe == RECIPES[name]()
    assert (RECIPES[name].__doc__ or "").strip()
    multiple = build(recipe).network.size_multiple
    assert [stage.crop % multiple for stage in recipe.stages] == [0] * len(recipe.stages)


@every_recipe
def test_it_has_a_debug_twin(name: str) -> None:
    twin = name if name in DEBUG else f"{name}-debug"
    assert type(RECIPES[twin]().network) is type(RECIPES[name]().network)


@every_recipe
def test_json_brings_it_back_equal(name: str) -> None:
    recipe = RECIPES[name]()
    assert from_json(json.loads(dumps(recipe))) == recipe
    assert from_json(json.loads(json.dumps(to_json(recipe)))) == recipe


@pytest.mark.parametrize("name", DEBUG)  # the twins' networks are those of the others, but small
def test_the_same_seed_gives_the_same_initial_weights(name: str) -> None:
    recipe = RECIPES[name]()
    torch.manual_seed(recipe.seed)
    first = build(recipe).state_dict()
    torch.manual_seed(recipe.seed)
    assert all(torch.equal(value, first[key]) for key, value in build(recipe).state_dict().items())


@every_recipe
@pytest.mark.parametrize(
    ("setting", "read", "expected"),
    [
        ("seed=7", lambda r: r.seed, 7),
        ("name=mine", lambda r: r.name, "mine"),
        ("stages.0.steps=11", lambda r: r.stages[0].steps, 11),
        ("stages.0.lr=1", lambda r: r.stages[0].lr, 1.0),
        ("stages.0.betas=(0.8, 0.9)", lambda r: r.stages[0].betas, (0.8, 0.9)),
        ("stages.0.bf16=False", lambda r: r.stages[0].bf16, False),
        ("stages.0.crop=160", lambda r: r.stages[0].crop, 160),
        ("mixture.seed=9", lambda r: r.mixture.seed, 9),
    ],
)
def test_one_field_can_be_changed(name: str, setting: str, read: Callable[[Recipe], Any], expected: Any) -> None:
    recipe = RECIPES[name]()
    before = to_json(recipe)
    changed = override(recipe, setting)
    assert read(changed) == expected
    assert type(read(changed)) is type(expected)
    assert read(recipe) != expected or setting.endswith("False")
    assert to_json(recipe) == before
    assert from_json(to_json(changed)) == changed


@every_recipe
@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("stages.0.steps", "expected KEY=VALUE"),
        ("step=3", "no field 'step'; known here are name, "),
        ("stages.0.step=3", "no field 'step'; known here are objective, steps"),
        ("stages.99.steps=3", "no field '99'; known here are 0"),
        ("stages.first.steps=3", "no field 'first'; known here are 0"),
        ("stages.0.steps.1=3", "'steps' is a value and has no field '1'"),
        ("stages.0.steps=many", "expected int, like"),
        ("stages.0.steps=2.5", "expected int, like"),
        ("stages.0.lr=fast", "expected float, like"),
        ("stages.0.bf16=1", "expected bool, like"),
        ("stages.0.steps=0", "Stage.steps is 0; it must be at least 1"),
        ("stages.0.ema=1.0", r"Stage.ema is 1.0; it must be below 1"),
    ],
)
def test_a_change_that_does_not_fit_is_refused(name: str, setting: str, reason: str) -> None:
    with pytest.raises(UndegradeError, match=f"--set {setting}: {reason}") as caught:
        override(RECIPES[name](), setting)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("setting", ["stages.0=5", "stages.0.betas.0=fast", "stages.0.betas=(0.9,)"])
def test_a_member_of_a_tuple_keeps_its_kind(setting: str) -> None:
    with pytest.raises(UndegradeError, match="expected "):
        override(RECIPES["universal-small"](), setting)


def test_a_crop_that_does_not_fit_the_network_is_refused(photos: Path, tmp_path: Path) -> None:
    recipe = override(RECIPES["universal-small-debug"](), "stages.0.crop=30")
    with pytest.raises(UndegradeError, match=r"stages\.0\.crop is 30"):
        carry_out(recipe, photos, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_there_has_to_be_a_run_to_resume(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UndegradeError, match="no run to resume"):
        carry_out(RECIPES["universal-small-debug"](), photos, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_a_network_or_an_objective_is_set_by_its_name() -> None:
    recipe = override(RECIPES["published-5d"](), "network=restormer")
    assert recipe.network == Restormer.Config()
    assert override(recipe, "network.width=24").network.width == 24
    changed = override(recipe, "stages.0.objective=masked_image_modelling")
    assert changed.stages[0].objective == MaskedImageModelling.Config()
    assert from_json(to_json(changed)) == changed


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("network=resnet", "unknown 'resnet'; known here are nafnet, "),
        ("stages.0.objective=nafnet", "unknown 'nafnet'; known here are degradation_classification, "),
        ("mixture=mine", "holds fields of its own; set one of degradations, "),
    ],
)
def test_only_parts_of_the_same_kind_are_set_by_name(setting: str, reason: str) -> None:
    with pytest.raises(UndegradeError, match=f"--set {setting}: {reason}"):
        override(RECIPES["published-5d"](), setting)


def test_a_field_of_a_degradation_can_be_changed() -> None:
    changed = override(RECIPES["universal-small"](), "mixture.degradations.0.sigma.1=9.5")
    assert changed.mixture.degradations[0].sigma == (0.0, 9.5)  # type: ignore[attr-defined]


def test_a_severity_out_of_range_is_refused() -> None:
    with pytest.raises(UndegradeError, match=r"noise: sigma is 0\.\.300; .*within 0 to 255"):
        override(RECIPES["universal-small"](), "mixture.degradations.0.sigma=(0, 300)")


@pytest.mark.parametrize(
    ("field", "value"),
    [("steps", 0), ("batch", 0), ("crop", 0), ("lr", -1e-3), ("warmup", -1), ("clip", -1.0), ("ema", 1.0)],
)
def test_impossible_stages_are_refused_by_field_and_value(field: str, value: float) -> None:
    stage = RECIPES["universal-small"]().stages[0]
    with pytest.raises(ValueError, match=f"Stage.{field} is {value}; it must be "):
        replace(stage, **{field: value})  # type: ignore[arg-type]


@every_debug_twin
def test_the_debug_twin_runs_end_to_end(
    name: str, uninterrupted: Callable[[str], tuple[Path, list[dict[str, float]]]]
) -> None:
    folder, lines = uninterrupted(name)
    recipe = RECIPES[name]()
    assert from_json(json.loads((folder / "recipe.json").read_text())) == recipe
    assert from_json(read_header(folder / CHECKPOINT)["recipe"]) == recipe
    assert load_checkpoint(folder / CHECKPOINT).labels == build(recipe).labels
    assert list((folder / "tensorboard").glob("events.*"))
    assert not list(folder.glob(".*"))  # no temporary files
    steps = [(line["stage"], line["step"]) for line in lines if "loss" in line]
    assert steps == [(i, n + 1) for i, stage in enumerate(recipe.stages) for n in range(stage.steps)]
    assert sum("val_gain_db" in line for line in lines) == sum(stage.steps // 3 for stage in recipe.stages)
    assert all(np.isfinite(list(line.values())).all() for line in lines)
    assert len((folder / "log.jsonl").read_text().splitlines()) == len(lines)


@every_debug_twin
def test_each_stage_moves_the_weights(
    name: str, uninterrupted: Callable[[str], tuple[Path, list[dict[str, float]]]]
) -> None:
    recipe = RECIPES[name]()
    torch.manual_seed(recipe.seed)
    fresh, weights = dict(build(recipe).named_parameters()), final_weights(uninterrupted(name)[0])
    free = [key for key in fresh if not all(lies_in(key, stage.still) for stage in recipe.stages)]
    moved = [key for key in fresh if not torch.equal(weights[key], fresh[key])]
    assert set(moved) <= set(free)
    assert len(moved) > 0.5 * len(free)


@two_debug_twins
@pytest.mark.parametrize(
    "stops",
    [
        [(0, 1, "log")],  # before the first save
        [(0, 3, "log")],  # one step after a save: that step is done again
        [(0, 3, "val")],  # all steps of the stage done, its end not
        [(1, 1, "log")],  # at the beginning of the second stage
        [(1, 3, "log")],  # with an average under way
        [(0, 3, "log"), (1, 3, "val")],  # twice
    ],
    ids=str,
)
def test_a_resumed_run_ends_with_the_same_weights(
    name: str,
    stops: list[tuple[int, int, str]],
    photos: Path,
    tmp_path: Path,
    uninterrupted: Callable[[str], tuple[Path, list[dict[str, float]]]],
) -> None:
    whole, expected_lines = uninterrupted(name)
    recipe, folder = RECIPES[name](), tmp_path / "run"
    for number, stop in enumerate(stops):
        with pytest.raises(Interrupted):
            carry_out(recipe, photos, folder, resume=number > 0, stop=stop)
    lines = carry_out(recipe, photos, folder, resume=True)
    # The last call went on from the last save before the break, and the losses are those of the uninterrupted run.
    stage, step, _ = stops[-1]
    saved = (step - 1) // PACE.save * PACE.save
    steps = [(line["stage"], line["step"]) for line in lines if "loss" in line]
    assert steps[0] == (stage, saved + 1)
    expected = {(line["stage"], line["step"]): line["loss"] for line in expected_lines if "loss" in line}
    assert [line["loss"] for line in lines if "loss" in line] == [expected[at] for at in steps]
    weights = final_weights(folder)
    for key, value in final_weights(whole).items():
        assert torch.equal(weights[key], value), key


@two_debug_twins
def test_a_run_broken_off_at_its_last_breath_still_ends_with_the_final_weights(
    name: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, folder = RECIPES[name](), tmp_path / "run"
    calls = []

    def save(model: UniversalRestorer, path: Path, *, recipe: dict[str, Any]) -> None:
        calls.append(path)
        if len(calls) == last:
            raise Interrupted
        save_checkpoint(model, path, recipe=recipe)

    # Every second step and at the end of each stage.
    last = sum(stage.steps // PACE.save + 1 for stage in recipe.stages)
    with monkeypatch.context() as patch:
        patch.setattr(run_file, "save_checkpoint", save)
        with pytest.raises(Interrupted):
            carry_out(recipe, photos, folder)
    carry_out(recipe, photos, folder, resume=True)
    final_weights(folder)


@two_debug_twins
def test_a_finished_run_is_left_alone(
    name: str, photos: Path, uninterrupted: Callable[[str], tuple[Path, list[dict[str, float]]]]
) -> None:
    folder, _ = uninterrupted(name)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(UndegradeError, match="holds a run already; add --resume"):
        carry_out(RECIPES[name](), photos, folder)
    assert carry_out(RECIPES[name](), photos, folder, resume=True) == []
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@two_debug_twins
def test_another_recipe_does_not_go_on_with_this_run(
    name: str, photos: Path, uninterrupted: Callable[[str], tuple[Path, list[dict[str, float]]]]
) -> None:
    other = override(RECIPES[name](), "stages.0.lr=0.5")
    with pytest.raises(UndegradeError, match=r"recipe\.json: differs from the recipe to resume"):
        carry_out(other, photos, uninterrupted(name)[0], resume=True)


@two_debug_twins
def test_a_damaged_state_is_named(name: str, photos: Path, tmp_path: Path) -> None:
    recipe, folder = RECIPES[name](), tmp_path / "run"
    with pytest.raises(Interrupted):
        carry_out(recipe, photos, folder, stop=(0, 3, "log"))
    state = folder / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(UndegradeError, match=r"state\.pt: damaged .*delete it"):
        carry_out(recipe, photos, folder, resume=True)


def test_a_stage_needs_no_more_than_an_objective_and_steps() -> None:
    stage = Stage(objective=RECIPES["universal-small"]().stages[0].objective, steps=1)
    assert stage.batch >= 1


def test_a_recipe_with_compounds_survives_json() -> None:
    steps = (parse("noise(sigma=5..10)"), parse("jpeg"))
    compounds = (
        Chain(label="a", steps=(Maybe(step=steps[0]), OneOf(steps=steps, weights=(1.0, 2.0))), shared_depth=True),
        RandomOrder(label="b", steps=steps, most=2),
    )
    recipe = RECIPES["universal-small"]()
    recipe = replace(recipe, mixture=replace(recipe.mixture, degradations=compounds))
    assert from_json(json.loads(dumps(recipe))) == recipe


def test_a_recipe_of_pairs_survives_json_and_names_no_folder() -> None:
    recipe = RECIPES["universal-small"]()
    recipe = replace(recipe, mixture=MixtureConfig(pairs=("haze", "low_rain"), weights=(1, 2, 1)))
    assert from_json(json.loads(dumps(recipe))) == recipe
    assert override(recipe, "mixture.pairs=('haze', 'snow')").mixture.labels == ("clean", "haze", "snow")
    with pytest.raises(UndegradeError, match=r"mixture.pairs=\('clean',\): MixtureConfig.pairs is"):
        override(recipe, "mixture.pairs=('clean',)")
