"""A recipe carried out in a folder: stages one after another, resumable, ending in a checkpoint."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from undegrade.atomic import written_whole
from undegrade.batch import Batch
from undegrade.data.mixture import Mixture, batches, open_mixture
from undegrade.data.places import Place
from undegrade.errors import UndegradeError, check_at_least
from undegrade.networks import NETWORKS, TextPromptIR, UniversalRestorer
from undegrade.networks.checkpoint import read_header, save_checkpoint
from undegrade.objectives import OBJECTIVES
from undegrade.training.ema import Ema
from undegrade.training.fitting import check_stages, keep_still
from undegrade.training.hooks import Log, Paused, Slice, Timed, Validation, summary
from undegrade.training.loop import Hook, fit, make_optimizer
from undegrade.training.processes import agree, first_alone, join, own
from undegrade.training.recipe import Recipe, Stage, to_json, with_defaults
from undegrade.training.resume import Saver, fill, fill_optimizer, load_state
from undegrade.training.sharding import Shares, sharding_wanted
from undegrade.training.start import start_from
from undegrade.training.telling import give_sentences

CALIBRATION_BATCHES = range(10**9, 10**9 + 16)  # for the statistics of averaged weights; training never gets there
DATA = "data.json"  # in the run's folder: where its data lay
VERSIONS = "versions.json"  # in the run's folder: what it was last carried out with
RESULTS = "results.json"  # in the run's folder: what came of it
CHECKPOINT = "checkpoint.safetensors"  # in the run's folder: the last complete save, averaged weights where there are


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often a run logs, saves and validates, in steps; how many processes make its data; and in how many parts each
    process goes through its share of a batch, which changes no result but that of batch norms.
    """

    log: int = 50
    save: int = 500
    validate: int = 1000
    workers: int = 1
    until: float = math.inf  # by `time.monotonic`: then the run is saved and `Paused`
    parts: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_at_least(self, {"log": 1, "save": 1, "validate": 1, "workers": 0, "parts": 1})


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a recipe is carried out, by one process or by several that `accelerate launch` started.

    Args:
        recipe: what to do.
        clean: folder of clean photographs; None where the mixture needs none.
        folder: of the run: `recipe.json`, `data.json`, `versions.json`, `log.jsonl`, `tensorboard/`, `state.pt`,
            `checkpoint.safetensors`, and at the end `results.json`.
        validate: measures a model on the held-out photographs.
        show: told each line of the log.
        pace: how often.
        pairs: where the pairs of each label of the mixture lie, in the mixture's order.
        sheet: shows what a model does on a few pictures, (3, H, W) in [0, 1]; None where nothing is to be shown.
        advance: told after each step how many steps of the whole run are done.
        start: a checkpoint whose weights the run begins with; a resumed one takes the one that it began with.
        say: told what a user should know beside the log.
    """

    recipe: Recipe
    clean: Path | None
    folder: Path
    validate: Callable[[UniversalRestorer], dict[str, float]]
    show: Callable[[dict[str, float]], None]
    pace: Pace
    pairs: tuple[Place, ...] = ()
    sheet: Callable[[UniversalRestorer], NDArray[np.float32] | None] = lambda model: None
    advance: Callable[[int], None] = lambda done: None
    start: Path | None = None
    say: Callable[[str], None] = lambda text: None

    def train(self, *, resume: bool) -> Path | None:
        """Go through the stages that are left; returns the checkpoint, or None where the time was over before.

        Raises:
            UndegradeError: the folder holds another run, another recipe or none to resume, a crop or a batch does not
                fit, or the disk is full; the last save then stands.
        """
        accelerator = join()
        torch.manual_seed(self.recipe.seed)
        model = build(self.recipe).to(accelerator.device)
        sharded = sharding_wanted(accelerator)
        check_stages(self.recipe, model, accelerator.num_processes, self.pace.parts, sharded=sharded)
        if self.pace.until < math.inf and accelerator.num_processes > 1:
            raise UndegradeError(
                f"--minutes: {accelerator.num_processes} processes cannot pause together; leave it out"
            )
        try:
            state = self._begin(accelerator, model, resume)
            at = state["stage"] if state else 0
            for number, stage in enumerate(self.recipe.stages):
                if number >= at:
                    self._stage(accelerator, model, stage, number, state if number == at else None)
            model.sharpness = self.recipe.sharpness
            if accelerator.is_main_process:
                self._finish(model, complete=at >= len(self.recipe.stages))
        except Paused:
            return None
        except OSError as error:
            raise UndegradeError(
                f"{self.folder}: cannot be written ({error.strerror}); the last save stands: free space, then --resume"
            ) from None
        except RuntimeError as error:
            if "by peer" not in str(error):  # a connection that is closed or reset
                raise
            raise UndegradeError("another process has ended; what it says is the reason, then --resume") from None
        return self.folder / CHECKPOINT

    def _begin(self, accelerator: Accelerator, model: UniversalRestorer, resume: bool) -> dict[str, Any] | None:
        """Fill in the weights to begin or to go on with; returns the state to go on from, if there is one."""
        # The folder comes after the weights: what is refused must not leave one behind.
        taken = "" if resume else self._start(accelerator, model, self.start)
        first_alone(accelerator, lambda: self._open(resume))
        state = load_state(self.folder) if resume else None
        place = (state["stage"], state["step"]) if state else None
        agree(accelerator, place, f"{self.folder}: is not the same folder on all machines; let them share it")
        if state:
            fill(model, state["model"], self.folder)
        elif resume:  # interrupted before the first save
            begun_with = first_alone(accelerator, lambda: _read_json(self.folder / DATA).get("start"))
            taken = self._start(accelerator, model, Path(begun_with) if begun_with else None)
        if taken and accelerator.is_main_process:
            self.say(taken)
        return state

    def _start(self, accelerator: Accelerator, model: UniversalRestorer, path: Path | None) -> str:
        """Take the weights of a checkpoint, if there is one; the other processes get the first one's with `fit`."""
        if path is None and self.recipe.begins_with:
            before = self.recipe.begins_with
            raise UndegradeError(f"{self.recipe.name} begins with the weights of {before}; give them: --start {before}")
        whole = bool(self.recipe.begins_with)
        return first_alone(accelerator, lambda: start_from(model, path, whole=whole)) if path else ""

    def _open(self, resume: bool) -> None:
        """Create the folder, or make sure that it holds this run."""
        path, recipe = self.folder / "recipe.json", to_json(self.recipe)
        begun = path.exists()
        if not begun and resume:
            raise UndegradeError(f"{self.folder}: no run to resume; check --out, or leave out --resume")
        if begun and not resume:
            raise UndegradeError(f"{self.folder}: holds a run already; add --resume to go on, or choose another --out")
        if begun:
            before = with_defaults(_read_json(path))
            if before != json.loads(json.dumps(recipe)):
                raise UndegradeError(
                    f"{path}: differs from the recipe to resume in {_difference(before, recipe)}; give the same recipe "
                    "and the same --set"
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._note_data(resume)
        _write_json(self.folder / VERSIONS, {**versions(), "processes": str(join().num_processes)})
        _write_json(path, recipe)  # last: with it, the run has begun

    def _note_data(self, resume: bool) -> None:
        """Where the data lay this time. It is no part of the recipe: a resumed run may find them elsewhere."""
        pairs = {p.label: {"folder": str(p.folder.resolve()), "layout": p.layout} for p in self.pairs}
        places: dict[str, Any] = {"clean": None if self.clean is None else str(self.clean.resolve()), "pairs": pairs}
        path, start = self.folder / DATA, str(self.start.resolve()) if self.start else None
        if resume:
            start = _read_json(path).get("start") if path.exists() else None
        _write_json(path, {**places, **({"start": start} if start else {})})

    def _stage(
        self,
        accelerator: Accelerator,
        model: UniversalRestorer,
        stage: Stage,
        number: int,
        state: dict[str, Any] | None,
    ) -> None:
        """Carry out one stage, from `state` if it had begun; the model ends with the weights to keep."""
        first = state["step"] if state else 0
        kind = next(k for k in OBJECTIVES.values() if k.Config is type(stage.objective))  # type: ignore[attr-defined]
        objective = kind(stage.objective, model)
        held = keep_still(model, stage)
        data = self._data(number, first, (accelerator.process_index, accelerator.num_processes))
        ema = moving = self._average(model, number, state)
        shares: Shares | None = None
        if sharding_wanted(accelerator):
            shares = Shares(accelerator, objective, ema, lambda done: self._due(stage, done))
            objective, moving = shares.objective, shares.ema
        optimizer = make_optimizer(objective, stage)
        if state and state["optimizer"]:
            fill_optimizer(optimizer, state["optimizer"], self.folder)
        timed = Timed(own(batches(data, workers=self.pace.workers)))
        hooks: list[Hook] = [moving] if moving else []
        writers: list[Hook] = []
        log: Log | None = None
        if accelerator.is_main_process:
            log = self._log(number, first, timed, state)
            writers = self._writers(model, ema, log, number, shares)
        hooks += [partial(shares.tell, writers)] if shares else writers
        try:
            skipped = state.get("skipped", 0) if state else 0
            parts = self.pace.parts
            fit(objective, timed, stage, hooks, optimizer=optimizer, first=first, skipped=skipped, parts=parts)
        finally:
            for handle in held:
                handle.remove()
            if log:
                log.board.close()
        if shares:
            shares.end()
        if ema:
            model.load_state_dict(ema.settled().state_dict())
        if accelerator.is_main_process:
            # The next stage starts from here, with a fresh optimizer and average.
            # First the checkpoint: a state that says "done" must not stand beside an older one.
            self._keep(model)
            after = Saver(folder=self.folder, stage=number + 1, model=model, ema=None, log=None, every=1)
            after.save(0)

    def _log(self, number: int, first: int, timed: Timed[Batch], state: dict[str, Any] | None) -> Log:
        stage = self.recipe.stages[number]
        return Log(
            self.folder,
            number,
            every=self.pace.log,
            show=self.show,
            first=first,
            last=stage.steps,
            batch=stage.batch,
            waited=lambda: timed.seconds,
            pending=state.get("log") if state else None,
        )

    def _average(self, model: UniversalRestorer, number: int, state: dict[str, Any] | None) -> Ema | None:
        """The averaged weights of a stage that has them; the same in every process."""
        stage = self.recipe.stages[number]
        if not stage.ema:
            return None
        # What batch norms are measured on is the same in each stage, whatever it learns from.
        data, device = self._data(number, 0, (0, 1), usual=True), str(next(model.parameters()).device)
        ema = Ema(model, stage.ema, [data.make_batch(i).to(device) for i in CALIBRATION_BATCHES])
        if state and state["ema"]:
            ema.average.load_state_dict(state["ema"])
        return ema

    def _data(self, number: int, first: int, share: tuple[int, int], *, usual: bool = False) -> Mixture:
        """The training data of a stage; no stage sees the samples of an earlier one.

        Args:
            number: of the stage.
            first: the batch to begin with.
            share: of this process.
            usual: of the recipe's mixture, whatever the stage's own.
        """
        recipe, stage = self.recipe, self.recipe.stages[number]
        before = sum(s.steps * s.batch for s in recipe.stages[:number])
        return open_mixture(
            recipe.mixture if usual else recipe.mixture_of(stage),
            self.clean,
            self.pairs,
            part="train",
            holdout=recipe.holdout,
            batch=stage.batch,
            crop=stage.crop,
            first=before // stage.batch + first,
            share=share,
        )

    def _due(self, stage: Stage, done: int) -> bool:
        """Whether the weights are saved or validated after so many steps."""
        return done % self.pace.save == 0 or done % self.pace.validate == 0 or done == stage.steps

    def _writers(
        self, model: UniversalRestorer, ema: Ema | None, log: Log, number: int, shares: Shares | None
    ) -> list[Hook]:
        """The hooks of the first process alone: logging, saving, validating, and what is shown."""
        pace, stages = self.pace, self.recipe.stages
        kept = ema.settled if ema else lambda: model
        before = sum(stage.steps for stage in stages[:number])
        saver = Saver(
            folder=self.folder,
            stage=number,
            model=model,
            ema=ema,
            log=log,
            every=pace.save,
            done=lambda _: self._keep(kept()),
            state_of=shares.state_of if shares else torch.optim.Optimizer.state_dict,
        )
        validation = Validation(
            lambda: self.validate(kept()),
            lambda: self.sheet(kept()),
            log,
            every=pace.validate,
            last=stages[number].steps,
        )
        # Saving comes last: a run that is interrupted before it logs and validates again.
        hooks: list[Hook] = [log, lambda step: self.advance(before + step.number), validation, saver]
        if pace.until < math.inf:
            hooks.append(Slice(pace.until, lambda step: saver.save(step.number, step.optimizer, step.skipped)))
        return hooks

    def _keep(self, model: UniversalRestorer) -> None:
        save_checkpoint(model, self.folder / CHECKPOINT, recipe=to_json(self.recipe))

    def _finish(self, model: UniversalRestorer, *, complete: bool) -> None:
        """Write the final checkpoint and `results.json`; a run that was complete already only says so."""
        if complete and (self.folder / RESULTS).exists() and (self.folder / CHECKPOINT).exists():
            self.say(f"{self.folder}: complete already; nothing was done")
            return
        self._keep(model)
        stages = summary(self.folder, len(self.recipe.stages))
        for measured, stage in zip(stages, self.recipe.stages, strict=True):
            measured["samples"] = stage.steps * stage.batch
        sha256 = read_header(self.folder / CHECKPOINT)["sha256"]
        _write_json(self.folder / RESULTS, {"recipe": self.recipe.name, "stages": stages, "checkpoint_sha256": sha256})


def versions() -> dict[str, str]:
    """What the run was carried out with."""
    packages = ("undegrade", "torch", "numpy", "accelerate", "pyvips", "safetensors")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else _processor()
    return {
        **{name: metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
    }


def _processor() -> str:
    """The name of the processor; Linux has it in a file."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _difference(before: Any, now: Any, path: str = "") -> str:
    """The first field in which two recipes, as JSON-like data, differ."""
    now = list(now) if isinstance(now, tuple) else now
    if isinstance(before, dict) and isinstance(now, dict):
        pairs: list[tuple[str, Any, Any]] = [(k, before.get(k), now.get(k)) for k in {**before, **now}]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = [(str(i), a, b) for i, (a, b) in enumerate(zip(before, now, strict=True))]
    else:
        return path or "everything"
    return next(_difference(a, b, f"{path}.{key}".lstrip(".")) for key, a, b in pairs if a != b)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        raise UndegradeError(f"{path}: damaged; start the run anew with another --out") from None
    return data


def _write_json(path: Path, data: Any) -> None:
    with written_whole(path) as partial:
        partial.write_text(json.dumps(data, indent=2) + "\n")


def build(recipe: Recipe) -> UniversalRestorer:
    """The recipe's model with fresh weights."""
    networks: dict[str, Any] = dict(NETWORKS)  # each takes its own Config
    kind = next(k for k in networks.values() if k.Config is type(recipe.network))
    mixture, several = recipe.mixture, recipe.multi_label
    network, labels = kind(recipe.network), mixture.parts if several else mixture.labels
    if isinstance(network, TextPromptIR) and network.config.kinds:
        give_sentences(network, labels)
    return UniversalRestorer(
        network,
        recipe.classifier,
        labels,
        steered=recipe.steered,
        multi_label=several,
    )
