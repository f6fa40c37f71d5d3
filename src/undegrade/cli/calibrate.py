"""`undegrade calibrate`: teach a model to grade what it names, and when to leave a picture alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undegrade.cli.output import progress, show
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.networks import UniversalRestorer


GOING_ON = 5  # seed of specimens for a grader that has seen those of the usual one


def calibrate(
    checkpoint: Annotated[Path, typer.Argument(help="A .safetensors file with a classifier, by undegrade train.")],
    clean: Annotated[Path, typer.Option(metavar="DIR", help="Folder of clean photographs, a pack, or shards.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="PATH", help="The .safetensors file to write; others beside it.")
    ],
    steps: Annotated[
        int, typer.Option(min=0, help="Of training the grader, 0.35 s each on two cores; 0 with --start: it is kept.")
    ] = 4000,
    specimens: Annotated[
        int, typer.Option(min=20, help="Spoiled crops that are repaired to learn what helps, and as many to check it.")
    ] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that repair them.")] = os.cpu_count() or 1,
    start: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A calibrated checkpoint, of before more training, whose grader goes on."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Give a trained model a diagnosis: severities, several kinds at once, the unknown, and the check of repairs.

    Writes the model with its grader, its OpenVINO export, and NAME.diagnosis.npz beside them. What was done lies in
    NAME.calibrating until it is finished, and a run that was broken off goes on from there.
    """
    from undegrade.inference.extras import needs_train
    from undegrade.inference.models import calibration_of

    with needs_train("calibrating"):
        import torch  # noqa: F401  # before anything is begun
    if out.suffix != ".safetensors":
        raise UndegradeError(f"{out}: unknown ending {out.suffix!r}; expected .safetensors")
    if out.exists() and out.samefile(checkpoint):
        raise UndegradeError(f"{out}: is the input; originals are never overwritten, choose another output")
    if not steps and start is None:
        raise UndegradeError("--steps: 0, and no --start; expected at least 1, or a checkpoint whose grader is kept")
    folder = out.with_name(f"{out.stem}.calibrating")
    folder.mkdir(parents=True, exist_ok=True)
    model, graded = _graded(checkpoint, clean, steps, folder, start)
    _fitted(model, graded, clean, specimens, workers, out)
    for path in (graded.with_suffix(".bin"), graded.with_suffix(".xml"), graded):
        path.replace(out.with_suffix(path.suffix))
    for piece in folder.glob("*.npz"):
        piece.unlink()
    folder.rmdir()
    record = {"input": str(checkpoint), "output": str(out), "kinds": list(model.kinds), "specimens": specimens}
    row = (str(checkpoint), str(out), str(calibration_of(out)))
    show([record], ("checkpoint", "model", "calibration"), [row], as_json=as_json)


def _fitted(model: UniversalRestorer, graded: Path, clean: Path, specimens: int, workers: int, out: Path) -> None:
    """Exports the model, observes what its repairs do, and writes the calibration beside the output."""
    from undegrade.degradations import DEGRADATIONS
    from undegrade.diagnosis.head import save_head
    from undegrade.inference.export import export
    from undegrade.inference.models import calibration_of
    from undegrade.training.calibration import Fit, Subject, fit_head
    from undegrade.training.observations import Series, observe_series
    from undegrade.training.specimens import LARGE, SIDES, guises_of

    exported = graded.with_suffix(".xml")
    export(graded, exported)
    # Half of what the model does not know is met in learning what helps; the other half is left for tests.
    unknown = [name for name in DEGRADATIONS if name not in model.kinds][::2]
    others = tuple(name for name in unknown if name not in guises_of(model.kinds))
    found = []
    series = (("train", specimens, SIDES), ("held_out", specimens, LARGE))  # demands hang on few of the latter
    for seed, (part, count, sides) in enumerate(series, start=2):
        asked = Series(
            name=part,
            model=exported,
            photos=clean,
            part=part,
            count=count,
            kinds=model.kinds,
            others=others,
            seed=seed,
            sides=sides,
        )
        with progress(count) as advance:
            found.append(observe_series(asked, graded.parent, workers=workers, tell=advance))
    subject = Subject(
        name=out.stem,
        kinds=model.kinds,
        num_labels=len(model.labels),
        num_embedding=model.grader.fc.in_features if model.grader else 0,
    )
    save_head(fit_head(found[0], found[1], subject, Fit()), calibration_of(out))


def _graded(
    checkpoint: Path, clean: Path, steps: int, folder: Path, start: Path | None
) -> tuple[UniversalRestorer, Path]:
    """The model with a trained grader, and its file in the folder."""
    from undegrade.data.folder import CleanFolder
    from undegrade.degradations import DEGRADATIONS
    from undegrade.networks.checkpoint import load_checkpoint, read_header, save_checkpoint
    from undegrade.training.grading import Grading, begin_with, train_grader, with_grader

    path = folder / f"{folder.stem}.safetensors"
    if path.exists():
        return load_checkpoint(path), path
    model = load_checkpoint(checkpoint)
    kinds = tuple(label for label in model.labels if label in DEGRADATIONS)
    made = with_grader(model, kinds)
    if start:
        begin_with(made, start)

    def tell(step: int, losses: dict[str, float]) -> None:
        said = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
        print(f"step {step}/{steps}: {said}", file=sys.stderr)

    state = folder / "grader.pt"
    if steps:
        grading = Grading(steps=steps, seed=GOING_ON if start else Grading.seed)
        train_grader(made, CleanFolder(clean, part="train"), grading, state=state, tell=tell)
    else:
        state.unlink(missing_ok=True)  # of a run that was broken off, and is not gone on with
    save_checkpoint(made, path, recipe=read_header(checkpoint).get("recipe"))
    return made, path
