"""Teaching a trained model to tell several degradations apart and to grade them, its network and classifier frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from undegrade.data.folder import CleanFolder
from undegrade.data.mixture import leave_at_once
from undegrade.errors import UndegradeError
from undegrade.networks.checkpoint import load_checkpoint
from undegrade.networks.classifier import DegradationClassifier
from undegrade.networks.universal import GRADES, UniversalRestorer
from undegrade.training.precision import reduced
from undegrade.training.specimens import SIDES, draw_specimen

BLUR = 0.7  # levels: a level's neighbours are right, too, the less the farther
PRESENCE, LEVELS = 4.0, 0.5  # weights of the two losses
TOLD, SAVED = 50, 200  # steps after which is said how it goes, and after which the state is saved


@dataclass(frozen=True, kw_only=True)
class Grading:
    """How a grader is trained.

    Args:
        steps: of AdamW, over one cycle of the learning rate.
        crops: sides of the specimens, pixels, by turns; those of a step are of one size.
        pixels: of all specimens of a step.
        lr: the highest learning rate.
        decay: weight decay.
        seed: of the specimens.
    """

    steps: int = 4000
    crops: tuple[int, ...] = SIDES
    pixels: int = 12 * 128**2
    lr: float = 1e-3
    decay: float = 0.02
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse sides of which a step could hold none."""
        if not self.crops or min(self.crops) < 1 or max(self.crops) ** 2 > self.pixels:
            raise ValueError(
                f"Grading.crops is {self.crops}, Grading.pixels {self.pixels}; expected sides of at least 1 pixel, of "
                "which a square has at most so many"
            )

    def numbers(self, step: int) -> tuple[int, range]:
        """Side and numbers of the specimens of a step; no other step has the same.

        >>> Grading(crops=(64, 32), pixels=2 * 64**2).numbers(1)
        (32, range(8, 16))
        """
        side, most = self.crops[step % len(self.crops)], self.pixels // min(self.crops) ** 2
        return side, range(step * most, step * most + self.pixels // side**2)


class _Batches(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Endless (degraded, present, levels), from a step on."""

    def __init__(self, photos: CleanFolder, kinds: tuple[str, ...], grading: Grading, first: int) -> None:
        self.photos, self.kinds, self.grading, self.first = photos, kinds, grading, first

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        torch.set_num_threads(1)
        grading, step = self.grading, self.first
        while True:
            side, numbers = grading.numbers(step)
            found = [
                draw_specimen(self.photos, number, kinds=self.kinds, others=(), seed=grading.seed, side=side)
                for number in numbers
            ]
            columns = ([getattr(one, name) for one in found] for name in ("degraded", "present", "levels"))
            yield tuple(torch.stack([torch.from_numpy(array) for array in column]) for column in columns)  # type: ignore[misc]
            step += 1


def with_grader(model: UniversalRestorer, kinds: tuple[str, ...]) -> UniversalRestorer:
    """The same model with a grader, which begins as its classifier does; the logits of the kinds are the classifier's.

    Raises:
        UndegradeError: the model has no classifier, or does not know all kinds.
    """
    old = model.classifier
    if not isinstance(old, DegradationClassifier) or set(kinds) - set(model.labels):
        raise UndegradeError(
            f"model: its labels are {', '.join(model.labels) or 'none'}; expected a classifier that knows "
            f"{', '.join(kinds)}"
        )
    made = UniversalRestorer(
        model.network,
        old.config,
        model.labels,
        steered=model.answers is not None,
        sharpness=model.sharpness,
        multi_label=model.multi_label,
        kinds=kinds,
        grader=replace(old.config, peaks=True),
    )
    made.classifier, made.answers = old, model.answers
    grader = made.grader
    assert grader is not None
    start = {name: value for name, value in old.state_dict().items() if not name.startswith("fc.")}
    grader.load_state_dict(start, strict=False)
    means = old.fc.in_features
    with torch.no_grad():
        grader.fc.weight[:, means:] = 0
        for row, kind in enumerate(kinds):
            # A logit against "clean" is what a sigmoid needs of a softmax.
            place, clean = model.labels.index(kind), model.labels.index("clean")
            grader.fc.weight[row, :means] = old.fc.weight[place] - old.fc.weight[clean]
            grader.fc.bias[row] = old.fc.bias[place] - old.fc.bias[clean]
        grader.fc.weight[len(kinds) :] = 0
        grader.fc.bias[len(kinds) :] = 0
    return made.eval()


def begin_with(model: UniversalRestorer, path: Path) -> None:
    """Give the model's grader the weights that the grader of a calibrated checkpoint has.

    Raises:
        UndegradeError: the checkpoint cannot be read, or has no grader of the same kinds and shape.
    """
    given, own = load_checkpoint(path), model.grader
    assert own is not None
    weights = {} if given.grader is None else given.grader.state_dict()
    shapes, wanted = ({name: value.shape for name, value in state.items()} for state in (weights, own.state_dict()))
    if given.kinds != model.kinds or shapes != wanted:
        has = f"has a grader of {', '.join(given.kinds)}" if weights else "has no grader"
        raise UndegradeError(
            f"{path}: {has}; expected one of this shape of {', '.join(model.kinds)}, or leave out --start"
        )
    own.load_state_dict(weights)


def grade_loss(answer: Tensor, present: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of presence, where it is not in doubt, and of levels, where the kind is there.

    A level's truth is a bell around it: p_i proportional to exp(-((i - level * (GRADES - 1)) / BLUR)^2 / 2).

    Args:
        answer: (B, K + K * GRADES), of `UniversalRestorer.grade`.
        present: (B, K), 1, 0, or nan where in doubt.
        levels: (B, K), in [0, 1], or nan.
    """
    logits, grades = answer.split([present.shape[1], answer.shape[1] - present.shape[1]], 1)
    sure = ~present.isnan()
    named = F.binary_cross_entropy_with_logits(logits[sure], present[sure])
    there = (present.nan_to_num() == 1) & ~levels.isnan()
    away = (torch.arange(GRADES) - levels[there][:, None] * (GRADES - 1)) / BLUR
    bells = torch.exp(-0.5 * away.square())
    bells = bells / bells.sum(1, keepdim=True)
    own = grades.unflatten(1, (-1, GRADES))[there].log_softmax(1)
    return named, -(bells * own).sum() / max(1, len(own))


def train_grader(
    model: UniversalRestorer,
    photos: CleanFolder,
    grading: Grading,
    *,
    state: Path | None = None,
    tell: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
) -> None:
    """Train the grader of a model; nothing else of it changes.

    Args:
        model: with a grader; left in evaluation mode.
        photos: clean ones.
        grading: how.
        state: file from which a run that was broken off goes on, and which is removed at the end; None: none.
        tell: told the step and the mean losses, every `TOLD` steps.
    """
    grader = model.grader
    assert grader is not None
    model.eval().requires_grad_(False)
    grader.requires_grad_(True)
    optimiser = torch.optim.AdamW(grader.parameters(), grading.lr, weight_decay=grading.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, grading.lr, total_steps=grading.steps + 1, pct_start=0.1)
    first = _resume(state, grader, optimiser, schedule)
    loader = DataLoader(
        _Batches(photos, model.kinds, grading, first),
        batch_size=None,
        num_workers=1,
        prefetch_factor=8,
        multiprocessing_context="spawn",  # libvips does not survive a fork
        worker_init_fn=leave_at_once,
    )
    batches = iter(loader)
    grader.train()
    losses: list[tuple[float, float]] = []
    for step in range(first + 1, grading.steps + 1):
        losses.append(_step(model, next(batches), optimiser))
        schedule.step()
        if step % TOLD == 0:
            named, graded = torch.tensor(losses).mean(0).tolist()
            tell(step, {"presence": named, "levels": graded})
            losses = []
        if state is not None and step % SAVED == 0:
            parts: dict[str, Any] = {"grader": grader, "optimiser": optimiser, "schedule": schedule}
            saved = {name: part.state_dict() for name, part in parts.items()}
            torch.save({"step": step, **saved}, state)
    model.eval()
    if state is not None:
        state.unlink(missing_ok=True)


def _step(
    model: UniversalRestorer, batch: tuple[Tensor, Tensor, Tensor], optimiser: torch.optim.Optimizer
) -> tuple[float, float]:
    """One step of the grader; its two losses."""
    degraded, present, levels = batch
    with reduced("cpu"):
        with torch.no_grad():
            whole = model.network.pad(degraded).contiguous(memory_format=torch.channels_last)
            features = model.network.features(whole)
        _, answer = model.grade(features)
    named, graded = grade_loss(answer.float(), present, levels)
    optimiser.zero_grad()
    (PRESENCE * named + LEVELS * graded).backward()
    nn.utils.clip_grad_norm_([value for group in optimiser.param_groups for value in group["params"]], 1.0)
    optimiser.step()
    return named.item(), graded.item()


def _resume(state: Path | None, grader: nn.Module, optimiser: torch.optim.Optimizer, schedule: Any) -> int:
    """The step that was done last; 0 where nothing was.

    Raises:
        UndegradeError: the state is of a grader of another shape.
    """
    if state is None or not state.exists():
        return 0
    saved = torch.load(state, weights_only=True)
    try:
        grader.load_state_dict(saved["grader"])
    except RuntimeError:
        raise UndegradeError(
            f"{state}: the weights are of another grader than this undegrade trains; delete it to start anew"
        ) from None
    optimiser.load_state_dict(saved["optimiser"])
    schedule.load_state_dict(saved["schedule"])
    return int(saved["step"])
