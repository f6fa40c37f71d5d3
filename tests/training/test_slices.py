"""A run in slices ends as one that was never stopped."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from undegrade.cli import main
from undegrade.errors import UndegradeError
from undegrade.objectives import Relighting
from undegrade.recipes import RECIPES
from undegrade.recipes.release import FEW, release_default_debug
from undegrade.training.run import Pace, Run, build

pytestmark = pytest.mark.slow


def run(photos: Path, folder: Path, until: float, parts: int = 1) -> Run:
    recipe = replace(release_default_debug(), holdout=0)
    light = [isinstance(stage.objective, Relighting.Config) for stage in recipe.stages].index(True)
    return Run(
        recipe=replace(recipe, stages=tuple(replace(stage, steps=2) for stage in recipe.stages[light:][:2])),
        clean=photos,
        folder=folder,
        validate=lambda model: {},
        show=lambda line: None,
        pace=Pace(log=1, workers=0, until=until, parts=parts),
    )


def test_slices_of_a_step_each_end_with_the_same_weights(photo_file: Path, tmp_path: Path) -> None:
    photos, whole, cut = photo_file.parent, tmp_path / "whole", tmp_path / "cut"
    assert run(photos, whole, math.inf).train(resume=False)
    for number in range(4):
        assert run(photos, cut, 0.0).train(resume=number > 0) is None
    assert run(photos, cut, 0.0).train(resume=True)
    first, second = (torch.load(folder / "state.pt", weights_only=True)["model"] for folder in (whole, cut))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_parts_that_would_have_nothing_to_name_are_refused(photo_file: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UndegradeError, match=r"stages.0.batch is 4, 2 for each of 2; each share must be a multiple of 5"
    ):
        run(photo_file.parent, tmp_path / "run", math.inf, parts=2).train(resume=False)


def test_the_light_is_taught_alone_and_then_stays(photo_file: Path, tmp_path: Path) -> None:
    kept = []
    for number in range(4):
        run(photo_file.parent, tmp_path / "run", 0.0).train(resume=number > 0)
        kept.append(torch.load(tmp_path / "run" / "state.pt", weights_only=True)["model"])
    first, _, second = ({key for key in one if not torch.equal(one[key], two[key])} for one, two in pairwise(kept))
    light = {key for key in kept[0] if key.startswith("network.light.")}
    assert first
    assert first <= light
    assert "network.ending.weight" in second
    assert not second & light


@pytest.mark.parametrize("together", [False, True])
def test_each_kind_learns_its_own_and_then_all_but_the_light(photo_file: Path, tmp_path: Path, together: bool) -> None:
    stage = replace(release_default_debug().stages[-3 if together else -4], steps=3)
    kept = []
    for number in range(3):
        part = run(photo_file.parent, tmp_path / "run", 0.0)
        replace(part, recipe=replace(part.recipe, stages=(stage,))).train(resume=number > 0)
        kept.append(torch.load(tmp_path / "run" / "state.pt", weights_only=True)["model"])
    moved = {key for one, two in pairwise(kept) for key in one if not torch.equal(one[key], two[key])}
    assert {"network.middle.0.conv1.own_out", "network.middle.0.table", "network.mix.table"} <= moved
    assert not [key for key in moved if key.startswith("network.light")]
    shared = ("conv1.weight", "conv2.bias", "seen.weight", "intro.weight", "glance.conv1.weight")
    assert together == any(key.startswith("classifier") or key.endswith(shared) for key in moved)


def test_at_last_a_few_kinds_learn_and_no_number_of_the_others_moves(photo_file: Path, tmp_path: Path) -> None:
    """Rows without a gradient keep still under Muon, too, whose steps do not shrink with it."""
    recipe = replace(release_default_debug(), holdout=0)
    last_stage = recipe.stages[-1]
    # An untrained model draws nothing, from which nothing else could learn, before its last convolution has.
    still = tuple(part for part in last_stage.still if part != "network.ending")
    stage, kept = replace(last_stage, steps=3, still=still), []
    for number in range(3):
        part = replace(run(photo_file.parent, tmp_path / "run", 0.0), recipe=replace(recipe, stages=(stage,)))
        part.train(resume=number > 0)
        kept.append(torch.load(tmp_path / "run" / "state.pt", weights_only=True)["model"])
    first, last = kept[0], kept[-1]
    learning = torch.tensor([label in FEW for label in build(recipe).labels])
    rows = (".own_in", ".own_out", ".own", ".table")
    own = [key for key in last if key.endswith(rows) and not torch.equal(first[key], last[key])]
    assert "network.middle.0.conv1.own_out" in own
    assert "network.mix.table" in own
    for key in own:
        assert torch.equal(first[key][~learning], last[key][~learning]), key


@pytest.mark.parametrize(
    ("recipe", "kinds", "message"),
    [
        ("release-default-debug", ("mist",), "'mist' is not known, known are clean, noise"),
        ("universal-small-debug", ("noise",), "nothing that belongs to one label"),
    ],
)
def test_kinds_that_cannot_learn_by_themselves_are_refused(
    photo_file: Path, tmp_path: Path, recipe: str, kinds: tuple[str, ...], message: str
) -> None:
    wrong = RECIPES[recipe]()
    wrong = replace(wrong, holdout=0, stages=(replace(wrong.stages[-1], kinds=kinds),))
    with pytest.raises(UndegradeError, match=message):
        replace(run(photo_file.parent, tmp_path / "run", 0.0), recipe=wrong).train(resume=False)


def test_a_stage_has_a_mixture_of_its_own(photo_file: Path, tmp_path: Path) -> None:
    recipe = replace(release_default_debug(), holdout=0)
    recipe = replace(recipe, mixture=replace(recipe.mixture, seed=3))
    whole = replace(run(photo_file.parent, tmp_path / "run", 0.0), recipe=recipe)
    first, last = (whole._data(number, 0, (0, 1)) for number in (0, len(recipe.stages) - 4))
    assert (first.config.untold, last.config.untold) == (5, 0)
    assert first.config.seed == last.config.seed == 3
    wanted = last.make_batch(0).wanted
    assert wanted is not None
    assert (wanted.sum(1) > 0).all()


def test_a_still_part_that_the_model_lacks_is_refused(photo_file: Path, tmp_path: Path) -> None:
    wrong = run(photo_file.parent, tmp_path / "run", 0.0)
    stages = (replace(wrong.recipe.stages[0], still=("network.heavy",)),)
    wrong = replace(wrong, recipe=replace(wrong.recipe, stages=stages))
    with pytest.raises(UndegradeError, match=r"the model has no 'network.heavy', known are classifier"):
        wrong.train(resume=False)
    assert not (tmp_path / "run").exists()


def test_a_slice_that_is_over_says_how_to_go_on(
    photo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--clean", str(photo_file.parent), "--out", str(tmp_path / "run"), "--workers", "0"]
    command = ["train", "release-default-debug", *options, "--set", "holdout=0", "--set", "stages.0.steps=90"]
    assert main([*command, "--minutes", "0.01"]) == 0  # hardly longer than it takes to begin
    assert "paused: the run is saved, --resume goes on" in capsys.readouterr().out
    assert (tmp_path / "run" / "state.pt").exists()
    assert not (tmp_path / "run" / "results.json").exists()
