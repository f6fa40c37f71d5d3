"""What a program calls; the names are those of the package itself, `undegrade.restore` and so on."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import cast

from undegrade.batch import CLEAN, Record
from undegrade.diagnosis import Diagnosis, Gate, OwnJudge, Wish, listed, read_head
from undegrade.diagnosis.taught import read_taught
from undegrade.errors import UndegradeError
from undegrade.images import Picture, from_object, with_pixels
from undegrade.images.colour import blended
from undegrade.images.picture import gray_of
from undegrade.inference.backend import Backend
from undegrade.inference.backends import choose
from undegrade.inference.batch import Done, restore_file
from undegrade.inference.extras import needs_text, needs_train
from undegrade.inference.jobs import Job
from undegrade.inference.memory import parse_size
from undegrade.inference.models import DEFAULT_MODEL, MODELS, calibration_of, find_model, taught_of
from undegrade.inference.restorer import Restorer as BaseRestorer

LOADED_AT_ONCE = 4  # models kept in memory


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What `restore` returns.

    Args:
        image: of the same kind as what was given: a Pillow image, or an array of the same shape and type; for a path an
            (H, W, 3) array of the file's depth.
        diagnosis: what was wrong; None where the model names nothing (undegrade import) and repairs everything.
        changed: False where nothing was repaired and the image has the same pixels as before.
        repaired: what was repaired, first thing first, and with which strength; None: whatever the model itself found.
        reason: why something that is wrong was not repaired, or not wholly; empty where there is nothing to say.
    """

    image: object = field(repr=False)
    diagnosis: Diagnosis | None
    changed: bool
    repaired: tuple[tuple[str | None, float], ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Degraded:
    """What `degrade` returns.

    Args:
        image: of the same kind as what was given, as in `Result`.
        records: what was done, first thing first; `replay` does it again.
    """

    image: object
    records: tuple[Record, ...]


class Restorer(BaseRestorer[Diagnosis]):
    """A model ready to run.

    >>> Restorer("no-such-model")
    Traceback (most recent call last):
    undegrade.errors.UndegradeError: unknown model 'no-such-model'; known are default, quality, ...

    Args:
        model: name of a shipped model, or path of an .xml (OpenVINO), .onnx or .safetensors (PyTorch) file.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "bf16", "fp16" or "f32".
        memory: bytes that the process may take, or a size such as "1.5GB"; tiles are chosen accordingly.
        only: kinds that alone are repaired, such as ("rain", "haze") or "rain, haze".
        skip: kinds that are not.
        force: repair all of `only`, one after the other, or what is likeliest, at full strength and unchecked.
        say: the same in words, instead of `only` and `skip`, such as "remove the rain but keep the grain"; needs the
            extra `text`. Networks that are told sentences are told it.

    Attributes:
        choice: what runs the model, and why, in one sentence.
        understood: what was understood of `say`; empty where nothing was said.

    Raises:
        UndegradeError: there is no such model or device, the model's file is damaged, or `say` holds no instruction.
    """

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        device: str = "auto",
        precision: str = "auto",
        memory: int | str | None = None,
        only: str | Sequence[str] = (),
        skip: str | Sequence[str] = (),
        force: bool = False,
        say: str | None = None,
    ) -> None:
        budget = parse_size(memory) if isinstance(memory, str) else memory
        path = find_model(model)
        chosen = choose(path, device=device, precision=precision)
        self.choice = chosen.sentence
        wish, backend, self.understood = Wish(only=listed(only), skip=listed(skip), force=force), chosen.backend, ""
        if say is not None:
            wish, backend, self.understood = _asked(say, wish, backend)
        super().__init__(backend, _judge(path, backend, wish), memory=budget)

    def wishing(
        self, *, only: str | Sequence[str] = (), skip: str | Sequence[str] = (), force: bool = False
    ) -> Restorer:
        """The same model, asked for other repairs; arguments as for `Restorer`.

        Raises:
            UndegradeError: the model does not know a kind.
        """
        kinds = tuple(label for label in self.backend.labels if label != CLEAN)
        wish = Wish(only=listed(only), skip=listed(skip), force=force).of(kinds)
        other = copy(self)
        other.judge = replace(cast("Gate | OwnJudge", self.judge), wish=wish)
        return other

    def restore_file(self, source: str | Path, target: str | Path) -> Done[Diagnosis]:
        """A picture file restored into another one, of any size, in memory that does not grow with its height.

        Raises:
            UndegradeError: the file cannot be read, restored or written; nothing is then left at the target.
        """
        return restore_file(self, Job(source=Path(source), target=Path(target)))


def _asked(say: str, wish: Wish, backend: Backend) -> tuple[Wish, Backend, str]:
    """What a sentence makes of a wish and a model, and what was understood of it."""
    if wish.only or wish.skip:
        raise UndegradeError("say: a sentence says what to repair and what not; leave out only and skip")
    with needs_text("say"):
        from undegrade.text.instruction import read_instruction

        instruction = read_instruction(say)
    said = instruction.said
    kinds = tuple(label for label in backend.labels if label != CLEAN)
    if backend.sentence_size:
        if backend.sentence_size != len(instruction.embedding):
            raise UndegradeError(
                f"say: {backend.name} is told sentences of {backend.sentence_size} numbers, and the encoder of the "
                f"extra text makes {len(instruction.embedding)}; choose another model"
            )
        backend = backend.told(instruction.embedding)
    if kinds or not backend.sentence_size:
        wish = replace(wish, only=said.only, skip=kinds if said.nothing else said.skip)
    return wish, backend, said.sentence


def _judge(path: Path, backend: Backend, wish: Wish) -> Gate | OwnJudge:
    """The gate where the model has a calibration beside it, else the model's own word."""
    wish = wish.of(tuple(label for label in backend.labels if label != CLEAN))
    calibration = calibration_of(path)
    if not calibration.is_file():
        return OwnJudge(multi_label=backend.multi_label, wish=wish)
    head = read_head(calibration)
    if set(head.kinds) - set(backend.labels):
        raise UndegradeError(
            f"{calibration}: was made for another model, of {', '.join(head.kinds)}; write it anew with undegrade "
            "calibrate"
        )
    return Gate(head=head, wish=wish, taught=read_taught(taught_of(path)))


def load(model: str | Path = DEFAULT_MODEL) -> Restorer:
    """`Restorer(model)`, loaded once for each state of its file.

    Raises:
        UndegradeError: as `Restorer`.
    """
    path = find_model(model)
    state = path.stat()
    return _load(str(model) if str(model) in MODELS else path.absolute(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=LOADED_AT_ONCE)
def _load(model: str | Path, changed_ns: int, size: int) -> Restorer:
    return Restorer(model)


def restore(
    image: object,
    model: str | Path | Restorer = DEFAULT_MODEL,
    *,
    only: str | Sequence[str] = (),
    skip: str | Sequence[str] = (),
    force: bool = False,
    strength: float = 1.0,
) -> Result:
    """The image repaired, and what was wrong with it; where nothing was wrong, its pixels come back as they were.

    >>> restore("photo.jpg", only=["sharks"])
    Traceback (most recent call last):
    undegrade.errors.UndegradeError: only: 'sharks' is not known; the model repairs noise, jpeg, motion_blur, ...

    Args:
        image: a path, a Pillow image, or an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), RGB, of uint8, uint16 or
            floats in [0, 1].
        model: as for `load`, or what `load` returned; with none of what follows it repairs what it was asked to.
        only: as for `Restorer`.
        skip: as for `Restorer`.
        force: as for `Restorer`.
        strength: in [0, 1], how far to go from the image to what was restored, mixed as light is.

    Raises:
        UndegradeError: the image or the model cannot be used, the model does not know a kind, or there is no such
            strength; the message says why.
    """
    if not 0 <= strength <= 1:
        raise UndegradeError(f"strength is {strength}; expected a number from 0 to 1, such as 0.7 for 70 %")
    restorer = _restorer(model)
    if only or skip or force:
        restorer = restorer.wishing(only=only, skip=skip, force=force)
    picture, back = from_object(image)
    restored = restorer.restore(picture)
    changed, result = restored.changed and strength > 0, restored.picture
    if not changed:
        result = picture
    elif strength < 1:
        result = with_pixels(picture, blended(picture.pixels, result.pixels, strength))
    return Result(
        image=back(result),
        diagnosis=restored.diagnosis,
        changed=changed,
        repaired=restored.treatment.repaired if changed else (),
        reason=restored.treatment.reason,
    )


def diagnose(image: object, model: str | Path | Restorer = DEFAULT_MODEL) -> Diagnosis:
    """What is wrong with the image; arguments and errors as for `restore`."""
    return _restorer(model).diagnose(from_object(image)[0])


def _restorer(model: str | Path | Restorer) -> Restorer:
    return model if isinstance(model, Restorer) else load(model)


def degrade(image: object, *specs: str, seed: int = 0, depth: object = None) -> Degraded:
    """The image spoiled, for tests and training data; needs PyTorch (`pip install 'undegrade[train]'`).

    Args:
        image: as for `restore`.
        specs: what to do, first thing first: "noise(sigma=25)", "jpeg(quality=10..40)", "rain", or the name of a
            mixture, such as "second_order". Severities not named, or given as a range, are drawn.
        seed: of everything random.
        depth: an image of the same size, black at the camera and white at the farthest point, for haze, fog, dust,
            heavy rain and depth of field; a random map is drawn unless it is given.

    Raises:
        UndegradeError: PyTorch is missing, or the image, a spec or the depth cannot be used.
    """
    picture, back = from_object(image)
    scene = None if depth is None else from_object(depth)[0]
    degraded, records = degrade_picture(picture, specs, seed=seed, depth=scene)
    return Degraded(image=back(degraded), records=records)


def degrade_picture(
    picture: Picture, specs: Sequence[str], *, seed: int, depth: Picture | None = None
) -> tuple[Picture, tuple[Record, ...]]:
    """`degrade` for a picture; gray stays gray and alpha is kept."""
    with needs_train("degrading"):
        import torch

        from undegrade.degradations import find_step
    if not specs:
        raise UndegradeError('degradations: none; expected at least one, such as "noise(sigma=25)"')
    rng = torch.Generator().manual_seed(seed)
    records = tuple(record for spec in specs for record in find_step(spec).plan(rng))
    return replay_picture(picture, records, depth), records


def replay(image: object, records: Sequence[Record], depth: object = None) -> object:
    """The image spoiled as the records say, of the same kind as it was; arguments and errors as for `degrade`."""
    picture, back = from_object(image)
    return back(replay_picture(picture, records, None if depth is None else from_object(depth)[0]))


def replay_picture(picture: Picture, records: Sequence[Record], depth: Picture | None = None) -> Picture:
    """`replay` for a picture."""
    with needs_train("degrading"):
        import torch

        from undegrade import degradations
    distance = None if depth is None else torch.from_numpy(depth.pixels).mean(0, keepdim=True)
    pixels = degradations.replay(torch.from_numpy(picture.pixels), records, distance).numpy()
    if picture.gray:
        pixels = gray_of(pixels).repeat(3, axis=0)
    return with_pixels(picture, pixels)
