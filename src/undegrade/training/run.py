"""A recipe carried out in a folder: stages one after another, resumable, ending in a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from undegrade.atomic import written_whole
from undegrade.data.mixture import batches, open_mixture
from undegrade.data.places import Place
from undegrade.errors import UndegradeError
from undegrade.networks import NETWORKS, UniversalRestorer
from undegrade.networks.checkpoint import save_checkpoint
from undegrade.objectives import OBJECTIVES
from undegrade.training.ema import Ema
from undegrade.training.hooks import Log, Validation
from undegrade.training.loop import Hook, fit, make_optimizer
from undegrade.training.recipe import Recipe, Stage, to_json
from undegrade.training.resume import Saver, load_state

CALIBRATION_BATCHES = range(10**9, 10**9 + 16)  # for the statistics of averaged weights; training never gets there
DATA = "data.json"  # in the run's folder: where its data lay
CHECKPOINT = "checkpoint.safetensors"  # in the run's folder: the last complete save, averaged weights where there are


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often a run logs, saves and validates, in steps, and how many processes make its data."""

    log: int = 50
    save: int = 500
    validate: int = 1000
    workers: int = 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a recipe is carried out.

    Args:
        recipe: what to do.
        clean: folder of clean photographs; None where the mixture needs none.
        folder: of the run: `recipe.json`, `data.json`, `log.jsonl`, `tensorboard/`, `state.pt`,
            `checkpoint.safetensors`.
        validate: measures a model on the held-out photographs.
        show: told each line of the log.
        pace: how often.
        pairs: where the pairs of each label of the mixture lie, in the mixture's order.
    """

    recipe: Recipe
    clean: Path | None
    folder: Path
    validate: Callable[[UniversalRestorer], dict[str, float]]
    show: Callable[[dict[str, float]], None]
    pace: Pace
    pairs: tuple[Place, ...] = ()

    def train(self, *, resume: bool) -> Path:
        """Go through the stages that are left; returns the checkpoint.

        Raises:
            UndegradeError: the folder holds another run, another recipe or none to resume, or a crop does not fit.
        """
        torch.manual_seed(self.recipe.seed)
        model = build(self.recipe).to(Accelerator().device)
        self._check_crops(model.network.size_multiple)
        state = self._open(resume)  # only now: a recipe that is refused must not leave a folder behind
        self._note_data()
        at = state["stage"] if state else 0
        if state:
            model.load_state_dict(state["model"])
        for number, stage in enumerate(self.recipe.stages):
            if number >= at:
                self._stage(model, stage, number, state if number == at else None)
        model.sharpness = self.recipe.sharpness
        self._keep(model)
        return self.folder / CHECKPOINT

    def _check_crops(self, multiple: int) -> None:
        for number, stage in enumerate(self.recipe.stages):
            if stage.crop % multiple:
                raise UndegradeError(
                    f"stages.{number}.crop is {stage.crop}; it must be a multiple of {multiple} for this network"
                )

    def _open(self, resume: bool) -> dict[str, Any] | None:
        """Create the folder, or find the state to resume in it."""
        path, recipe = self.folder / "recipe.json", to_json(self.recipe)
        if not path.exists():
            if resume:
                raise UndegradeError(f"{self.folder}: no run to resume; check --out, or leave out --resume")
            self.folder.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as partial:
                partial.write_text(json.dumps(recipe, indent=2) + "\n")
            return None
        if not resume:
            raise UndegradeError(f"{self.folder}: holds a run already; add --resume to go on, or choose another --out")
        try:
            begun = json.loads(path.read_text())
        except ValueError:
            raise UndegradeError(f"{path}: damaged; start the run anew with another --out") from None
        if begun != json.loads(json.dumps(recipe)):
            raise UndegradeError(f"{path}: differs from the recipe to resume; give the same recipe and the same --set")
        return load_state(self.folder)

    def _note_data(self) -> None:
        """Where the data lay this time. It is no part of the recipe: a resumed run may find them elsewhere."""
        pairs = {p.label: {"folder": str(p.folder.resolve()), "layout": p.layout} for p in self.pairs}
        places = {"clean": None if self.clean is None else str(self.clean.resolve()), "pairs": pairs}
        with written_whole(self.folder / DATA) as partial:
            partial.write_text(json.dumps(places, indent=2) + "\n")

    def _stage(self, model: UniversalRestorer, stage: Stage, number: int, state: dict[str, Any] | None) -> None:
        """Carry out one stage, from `state` if it had begun; the model ends with the weights to keep."""
        recipe, pace = self.recipe, self.pace
        first = state["step"] if state else 0
        kind = next(k for k in OBJECTIVES.values() if k.Config is type(stage.objective))  # type: ignore[attr-defined]
        objective = kind(stage.objective, model)
        optimizer = make_optimizer(objective, stage)
        if state and state["optimizer"]:
            optimizer.load_state_dict(state["optimizer"])
        before = sum(s.steps * s.batch for s in recipe.stages[:number])
        data = open_mixture(
            recipe.mixture,
            self.clean,
            self.pairs,
            part="train",
            holdout=recipe.holdout,
            batch=stage.batch,
            crop=stage.crop,
            first=before // stage.batch + first,
        )
        ema: Ema | None = None
        if stage.ema:
            device = next(model.parameters()).device
            ema = Ema(model, stage.ema, [data.make_batch(i).to(str(device)) for i in CALIBRATION_BATCHES])
            if state and state["ema"]:
                ema.average.load_state_dict(state["ema"])
        kept = ema.settled if ema else lambda: model
        log = Log(self.folder, number, every=pace.log, show=self.show, first=first)
        saver = Saver(
            folder=self.folder, stage=number, model=model, ema=ema, every=pace.save, done=lambda _: self._keep(kept())
        )
        validation = Validation(lambda: self.validate(kept()), log, every=pace.validate)
        hooks: list[Hook] = [*([ema] if ema else []), log, saver, validation]
        try:
            fit(objective, batches(data, workers=pace.workers), stage, hooks, optimizer=optimizer, first=first)
        finally:
            log.board.close()
        if ema:
            model.load_state_dict(ema.settled().state_dict())
        # The next stage starts from here, with a fresh optimizer and average.
        # First the checkpoint: a state that says "done" must not stand beside an older one.
        self._keep(model)
        Saver(folder=self.folder, stage=number + 1, model=model, ema=None, every=1, done=lambda _: None).save(0, None)

    def _keep(self, model: UniversalRestorer) -> None:
        save_checkpoint(model, self.folder / CHECKPOINT, recipe=to_json(self.recipe))


def build(recipe: Recipe) -> UniversalRestorer:
    """The recipe's model with fresh weights."""
    networks: dict[str, Any] = dict(NETWORKS)  # each takes its own Config
    kind = next(k for k in networks.values() if k.Config is type(recipe.network))
    labels = recipe.mixture.labels
    return UniversalRestorer(kind(recipe.network), recipe.classifier, labels, steered=recipe.steered)
