"""A recipe: everything that one training run is made of, as frozen data."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from undegrade.data.mixture import MixtureConfig
from undegrade.degradations import DEGRADATIONS
from undegrade.degradations.chain import Chain, Maybe, OneOf, RandomOrder
from undegrade.errors import UndegradeError, check_at_least
from undegrade.networks import NETWORKS, DegradationClassifier
from undegrade.objectives import OBJECTIVES
from undegrade.training.schedule import SCHEDULES

OPTIMIZERS = ("adamw", "muon")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of training with one objective."""

    objective: Any  # the Config of a member of OBJECTIVES
    steps: int
    batch: int = 16
    crop: int = 96  # side of a patch, pixels; a multiple of the network's size_multiple
    optimizer: str = "adamw"  # or "muon", for the kernels of convolutions
    lr: float = 1e-3  # peak rate
    lr_floor: float = 1e-3  # the last rate, as a share of the peak
    schedule: str = "cosine"  # how the rate falls: "cosine", "linear" or "constant"
    warmup: int = 100  # steps
    weight_decay: float = 0.0
    classifier_lr: float = 0.0  # peak rate of the classifier; 0: the network's
    classifier_weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 0.0  # largest norm of the gradient; 0 leaves it
    max_skipped: int = 10  # steps in a row without a finite loss and gradient; then the run stops
    ema: float = 0.0  # decay of the averaged weights that are kept at the end; 0 keeps the last ones
    bf16: bool = True  # where the device has it
    still: tuple[str, ...] = ()  # parts of the model whose weights stay as they are: "network.light", "*.seen"
    kinds: tuple[str, ...] = ()  # labels whose own weights learn, while those of the others keep still; none: all learn
    mixture: tuple[tuple[str, Any], ...] = ()  # fields of the recipe's, and what they are in this stage instead

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        check_at_least(self, {"steps": 1, "batch": 1, "crop": 1, "warmup": 0, "max_skipped": 1})
        check_at_least(self, {"lr_floor": 0, "weight_decay": 0, "clip": 0, "ema": 0})
        check_at_least(self, {"classifier_lr": 0, "classifier_weight_decay": 0})
        if self.schedule not in SCHEDULES:
            raise ValueError(f"Stage.schedule is {self.schedule!r}; it must be one of {', '.join(SCHEDULES)}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"Stage.optimizer is {self.optimizer!r}; it must be one of {', '.join(OPTIMIZERS)}")
        if not self.lr > 0:
            raise ValueError(f"Stage.lr is {self.lr}; it must be above 0")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"Stage.betas is {self.betas}; expected a pair from 0 to below 1, like (0.9, 0.999)")
        if self.ema >= 1:
            raise ValueError(f"Stage.ema is {self.ema}; it must be below 1")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Networks, data and stages of one run. Build it in a function of `recipes/`."""

    name: str
    network: Any  # the Config of a member of NETWORKS
    classifier: DegradationClassifier.Config
    mixture: MixtureConfig
    stages: tuple[Stage, ...]
    multi_label: bool = False  # one sigmoid for each single degradation of the mixture, not one softmax over its labels
    steered: bool = False  # each label draws with an output convolution of its own
    sharpness: float = 1.0  # of the steering in the finished model; while it is trained, its objective's
    holdout: int = 20  # every n-th photo is held out for validation
    seed: int = 0  # of the initial weights
    begins_with: str = ""  # the shipped model whose weights have to be given (`--start`); otherwise any may be

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        check_at_least(self, {"sharpness": 0, "holdout": 0, "seed": 0})
        if not self.stages:
            raise ValueError("Recipe.stages is empty; expected at least one Stage")
        for number, stage in enumerate(self.stages):
            try:
                mixture = self.mixture_of(stage)
            except (TypeError, ValueError) as error:
                raise ValueError(f"Recipe.stages.{number}.mixture: {error}") from None
            if (mixture.labels, mixture.parts) != (self.mixture.labels, self.mixture.parts):
                raise ValueError(f"Recipe.stages.{number}.mixture has other labels; expected the recipe's")

    def mixture_of(self, stage: Stage) -> MixtureConfig:
        """What a stage is trained on."""
        return replace(self.mixture, **dict(stage.mixture))


C = TypeVar("C", bound=object)  # a frozen dataclass

COMPOUND_KINDS: dict[str, type] = {"chain": Chain, "one_of": OneOf, "maybe": Maybe, "random_order": RandomOrder}


def _kinds() -> dict[str, type]:
    """Every dataclass that may stand in a recipe, by the name that it has in JSON."""
    configs = {**NETWORKS, **OBJECTIVES}
    return {
        "recipe": Recipe,
        "stage": Stage,
        "mixture": MixtureConfig,
        "classifier": DegradationClassifier.Config,
        **{name: kind.Config for name, kind in configs.items()},  # type: ignore[attr-defined]
        **DEGRADATIONS,
        **COMPOUND_KINDS,
    }


def to_json(value: Any) -> Any:
    """A recipe, or a part of one, as JSON-like data; each dataclass carries its "kind"."""
    if is_dataclass(value):
        kind = next(name for name, cls in _kinds().items() if type(value) is cls)
        return {"kind": kind, **{f.name: to_json(getattr(value, f.name)) for f in fields(value)}}
    return [to_json(v) for v in value] if isinstance(value, tuple) else value


def from_json(data: Any) -> Any:
    """The inverse of `to_json`."""
    if isinstance(data, dict):
        values = {key: from_json(value) for key, value in data.items() if key != "kind"}
        return _kinds()[data["kind"]](**values)
    return tuple(from_json(v) for v in data) if isinstance(data, list) else data


def with_defaults(data: Any) -> Any:
    """A stored recipe with the fields that came later, at their defaults; what cannot be read so stays as it is."""
    try:
        return json.loads(json.dumps(to_json(from_json(data))))
    except (KeyError, TypeError, ValueError):
        return data


def override(config: C, setting: str) -> C:
    """The recipe, or another frozen dataclass, with one field changed, written as in `stages.0.steps=100`.

    Raises:
        UndegradeError: the setting cannot be read, names no field, or its value has another type or range.
    """
    path, equals, text = setting.partition("=")
    if not equals:
        raise UndegradeError(f"--set {setting}: expected KEY=VALUE, such as stages.0.steps=100")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    try:
        changed: C = _replaced(config, path.split("."), value, setting)
    except (ValueError, TypeError) as error:
        raise UndegradeError(f"--set {setting}: {error}") from None
    return changed


def _replaced(node: Any, path: list[str], value: Any, setting: str) -> Any:
    key, rest = path[0], path[1:]
    members = [str(i) for i in range(len(node))] if isinstance(node, tuple) else [f.name for f in fields(node)]
    if key not in members:
        raise UndegradeError(f"--set {setting}: no field {key!r}; known here are {', '.join(members)}")
    old = node[int(key)] if isinstance(node, tuple) else getattr(node, key)
    if not rest:
        new = _checked(old, value, setting)
    elif is_dataclass(old) or isinstance(old, tuple):
        new = _replaced(old, rest, value, setting)
    else:
        raise UndegradeError(f"--set {setting}: {key!r} is a value and has no field {rest[0]!r}")
    if isinstance(node, tuple):
        return (*node[: int(key)], new, *node[int(key) + 1 :])
    return replace(node, **{key: new})


def _checked(old: Any, value: Any, setting: str) -> Any:
    """The value to set, of the same type as the old one; a whole number will do for a float, a name for a part."""
    if is_dataclass(old) and isinstance(value, str):
        return _part(old, value, setting)
    if isinstance(old, float) and type(value) is int:
        return float(value)
    if type(value) is not type(old):
        raise UndegradeError(f"--set {setting}: expected {type(old).__name__}, like {old!r}")
    if isinstance(old, tuple) and old:
        return tuple(_checked(old[0], member, setting) for member in value)
    return value


def _part(old: Any, name: str, setting: str) -> Any:
    """The part of that name with its own defaults, from the catalogue that the old one comes from."""
    for catalogue in (NETWORKS, OBJECTIVES):
        configs = {key: kind.Config for key, kind in catalogue.items()}  # type: ignore[attr-defined]
        if type(old) in configs.values():
            if name not in configs:
                raise UndegradeError(f"--set {setting}: unknown {name!r}; known here are {', '.join(configs)}")
            return configs[name]()
    raise UndegradeError(f"--set {setting}: holds fields of its own; set one of {_names(old)}")


def _names(part: Any) -> str:
    return ", ".join(f.name for f in fields(part))


def dumps(recipe: Recipe) -> str:
    """The recipe as JSON text."""
    return json.dumps(to_json(recipe), indent=2)
