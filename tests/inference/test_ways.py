"""A blur that lies over a whole picture is undone where that promises more than the model's repair."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from undegrade.deblocking import Compression
from undegrade.deblurring import deconvolve
from undegrade.degradations import DEGRADATIONS, parse, replay
from undegrade.diagnosis import Diagnosis
from undegrade.diagnosis.gate import Judgement
from undegrade.images import Picture, read_picture, write_picture
from undegrade.inference.backend import Backend
from undegrade.inference.batch import Output, restore_file
from undegrade.inference.jobs import Job
from undegrade.inference.restorer import Restorer
from undegrade.inference.treatment import Trial, together
from undegrade.metrics import psnr, quantise

Pixels = NDArray[np.float32]
LABELS = ("clean", "defocus_blur")
FOUND = Diagnosis(
    label="defocus_blur",
    probability=0.9,
    probabilities={"defocus_blur": 0.9},
    sentence="out of focus",
    present=("defocus_blur",),
)


class Leaving(Backend):
    """Takes everything for out of focus, and repairs nothing."""

    name, labels, size_multiple, multi_label = "leaving", LABELS, 16, False

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        return image, np.array([0, 9], np.float32)


@dataclass
class Knowing:
    """Has the clean picture, of which it is shown the whole or samples, and likes what is nearer to it, or nothing."""

    clean: Pixels
    content: bool = True
    checks: bool = True
    measures: bool = True

    def name(self, contexts: Pixels, labels: tuple[str, ...], signs: Mapping[str, float]) -> Diagnosis:
        return FOUND

    def beyond(self, height: int, width: int) -> Diagnosis | None:
        return None

    def shares(self, contexts: Pixels, labels: tuple[str, ...]) -> tuple[tuple[str, ...], Pixels]:
        return ("defocus_blur",), np.ones((len(contexts), 1), np.float32)

    def candidates(self, finding: Diagnosis, done: tuple[str, ...]) -> tuple[str, ...]:
        return () if done else ("defocus_blur",)

    def in_turn(self, finding: Diagnosis, done: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return ()

    def likely(self, finding: Diagnosis) -> tuple[str, ...]:
        return ("defocus_blur",)

    def doubts(self, finding: Diagnosis, last: Diagnosis, done: tuple[str, ...]) -> tuple[str, ...]:
        return ()

    def weigh(self, trial: Trial) -> Judgement:
        size = trial.repaired[0].shape[1:]
        clean = self.clean[:, : size[0], : size[1]]  # the first sample lies in the corner
        gain = psnr(trial.repaired[0], clean) - psnr(trial.parts[0], clean)
        return Judgement(strength=0.75 if self.content else 0, gain=gain, reason="not wholly")


@pytest.fixture(scope="module")
def clean() -> Pixels:
    return read_picture(Path(__file__).parents[2] / "examples" / "cat-well.png").pixels


@pytest.fixture(scope="module")
def blurred(clean: Pixels) -> Picture:
    step = DEGRADATIONS["defocus_blur"]()
    made = step.degrade(torch.from_numpy(clean), torch.Generator().manual_seed(0), {"radius": 2.5})
    return Picture(pixels=quantise(made.numpy()))


def test_the_blur_is_undone_as_far_as_is_allowed(clean: Pixels, blurred: Picture) -> None:
    restored = Restorer(Leaving(), Knowing(clean)).restore(blurred)
    (step,) = restored.treatment.steps
    assert step.by == "deconvolution"
    assert restored.treatment.repaired == (("defocus_blur", 0.75),)
    assert psnr(restored.picture.pixels, clean) - psnr(blurred.pixels, clean) > 2
    whole = Restorer(Leaving(), Knowing(clean)).restore(
        blurred, treatment=replace(restored.treatment, steps=(replace(step, strength=1.0),))
    )
    np.testing.assert_allclose(whole.picture.pixels, deconvolve(blurred.pixels, step.measured), atol=1e-6)


def test_tiles_are_undone_as_parts_of_one_picture(clean: Pixels, blurred: Picture) -> None:
    whole = Restorer(Leaving(), Knowing(clean)).restore(blurred)
    tiled = Restorer(Leaving(), Knowing(clean), tile=(192, 192)).restore(blurred)
    assert psnr(tiled.picture.pixels, whole.picture.pixels) > 38


def test_the_model_repairs_where_undoing_promises_nothing(clean: Pixels, blurred: Picture) -> None:
    well = Picture(pixels=clean)  # nothing is better than what is well
    (step,) = Restorer(Leaving(), Knowing(clean)).restore(well).treatment.steps
    assert step.measured is None


def test_what_is_refused_is_left(clean: Pixels, blurred: Picture) -> None:
    restored = Restorer(Leaving(), Knowing(clean, content=False)).restore(blurred)
    assert not restored.changed
    assert restored.picture is blurred
    assert restored.treatment.reason == "not wholly"


def test_unchecked_the_model_repairs(clean: Pixels, blurred: Picture) -> None:
    (step,) = Restorer(Leaving(), Knowing(clean, checks=False)).restore(blurred).treatment.steps
    assert step.measured is None


def test_a_judge_that_knows_nothing_of_it_is_not_asked(clean: Pixels, blurred: Picture) -> None:
    (step,) = Restorer(Leaving(), Knowing(clean, measures=False)).restore(blurred).treatment.steps
    assert step.measured is None
    assert step.by == "network"


def test_the_frames_of_a_shot_have_no_blur_in_common(clean: Pixels, blurred: Picture) -> None:
    restorer = Restorer(Leaving(), Knowing(clean))
    look = restorer.look(blurred)
    assert look.still
    shot = together([look, look])
    assert not shot.still
    (step,) = restorer.decide(shot).steps
    assert step.by == "network"


class Twice(Knowing):
    """Asks for the same repair of what was repaired."""

    def candidates(self, finding: Diagnosis, done: tuple[str, ...]) -> tuple[str, ...]:
        return ("defocus_blur",) if len(done) < 2 else ()


def test_nor_have_they_after_a_repair(clean: Pixels, blurred: Picture) -> None:
    restorer = Restorer(Leaving(), Twice(clean))
    look = restorer.look(blurred)
    assert [step.by for step in restorer.decide(together([look, look])).steps] == ["network", "network"]


class Softening(Leaving):
    """Takes everything for noisy, and repairs it by the mean of five pixels."""

    name, labels = "softening", ("clean", "noise")

    def __init__(self) -> None:
        self.repairs = 0

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        self.repairs += context is not None
        made = image + sum(np.roll(image, move, axis) for move in (-1, 1) for axis in (1, 2))
        return made / np.float32(5), np.array([1, 2], np.float32)


class Compressed(Knowing):
    def candidates(self, finding: Diagnosis, done: tuple[str, ...]) -> tuple[str, ...]:
        return () if done else ("jpeg",)


class Noisy(Knowing):
    def candidates(self, finding: Diagnosis, done: tuple[str, ...]) -> tuple[str, ...]:
        return () if done else ("noise",)


def test_noise_is_repaired_by_the_network_and_refined(clean: Pixels) -> None:
    noise = np.random.default_rng(0).normal(0, 0.06, clean.shape)
    picture, backend = Picture(pixels=quantise(np.clip(clean + noise.astype(np.float32), 0, 1))), Softening()
    restorer = Restorer(backend, Noisy(clean))
    treatment = restorer.decide(restorer.look(picture))
    (step,) = treatment.steps
    assert step.by == "network and transform"
    (forced,) = Restorer(backend, Noisy(clean, checks=False)).decide(restorer.look(picture)).steps
    assert forced.by == "network and transform"
    # Both ways of repairing go by the same run of the network on each sample that was tried.
    assert backend.repairs == len(restorer.look(picture).parts)
    made = restorer.restore(picture, treatment=treatment).picture.pixels
    alone = np.clip(backend.run(picture.pixels)[0], 0, 1)
    assert psnr(made, clean) > psnr(alone, clean) + 0.5


class Told(Compressed):
    """Knows of nothing but what was measured."""

    def name(self, contexts: Pixels, labels: tuple[str, ...], signs: Mapping[str, float]) -> Diagnosis:
        return replace(FOUND, label=next(iter(signs), "clean"), severities=dict(signs))  # type: ignore[arg-type]


def test_compression_is_named_by_its_grid_wherever_the_picture_was_cut(clean: Pixels) -> None:
    bad = DEGRADATIONS["jpeg"]().degrade(torch.from_numpy(clean), torch.Generator(), {"quality": 60, "chroma": 2})
    judge, backend = Told(clean[:, 3:, 5:]), Softening()
    backend.labels = ("clean", "jpeg")
    picture, well = (Picture(pixels=pixels[:, 3:, 5:]) for pixels in (quantise(bad.numpy()), clean))
    restorer = Restorer(backend, judge)
    treatment = restorer.decide(restorer.look(picture))
    assert treatment.finding == restorer.diagnose(picture)
    assert treatment.finding is not None
    assert treatment.finding.severities["jpeg"] == pytest.approx(60, abs=1)
    assert len(treatment.steps) == 1
    assert restorer.diagnose(well).label == "clean"
    better = DEGRADATIONS["jpeg"]().degrade(torch.from_numpy(clean), torch.Generator(), {"quality": 94, "chroma": 2})
    assert restorer.diagnose(Picture(pixels=quantise(better.numpy())[:, 3:, 5:])).label == "clean"  # it looks well
    unmeasured = Restorer(backend, replace(judge, measures=False))
    assert unmeasured.diagnose(picture).label == "clean"
    look = restorer.look(picture)
    assert restorer.decide(together([look, look])).finding.label == "clean"  # frames of a shot are coded otherwise


def test_only_strong_noise_of_a_camera_is_a_sign_of_itself(clean: Pixels) -> None:
    for kind, named in (
        ("camera_noise(shot=0.02)", "noise"),
        ("camera_noise(shot=1e-4)", "clean"),
        ("noise(sigma=30)", "clean"),  # which the grader sees by itself
    ):
        bad = replay(torch.from_numpy(clean), parse(kind).plan(torch.Generator().manual_seed(0)))
        found = Restorer(Softening(), Told(clean)).diagnose(Picture(pixels=quantise(bad.numpy())))
        assert found.label == named


def test_what_lies_all_over_a_picture_for_certain_is_repaired_all_over(clean: Pixels, tmp_path: Path) -> None:
    bad = DEGRADATIONS["jpeg"]().degrade(torch.from_numpy(clean), torch.Generator(), {"quality": 50, "chroma": 2})
    backend, made = Softening(), []
    backend.labels = ("clean", "jpeg")
    write_picture(Picture(pixels=quantise(bad.numpy())), tmp_path / "bad.png")
    for local in (False, True):
        job = Job(source=tmp_path / "bad.png", target=tmp_path / f"{local}.png")
        restore_file(Restorer(backend, Compressed(clean)), job, output=Output(local=local))
        made.append(read_picture(job.target).pixels)
    np.testing.assert_array_equal(*made)
    assert psnr(made[0], clean) > psnr(bad.numpy(), clean) + 0.3


def test_compression_is_repaired_by_the_network_and_what_was_found(clean: Pixels) -> None:
    bad = DEGRADATIONS["jpeg"]().degrade(torch.from_numpy(clean), torch.Generator(), {"quality": 50, "chroma": 2})
    picture, backend = Picture(pixels=quantise(bad.numpy())), Softening()
    backend.labels = ("clean", "jpeg")
    restorer = Restorer(backend, Compressed(clean))
    treatment = restorer.decide(restorer.look(picture))
    (step,) = treatment.steps
    assert step.by == "network and transform"
    assert isinstance(step.measured, Compression)
    made = restorer.restore(picture, treatment=treatment).picture.pixels
    assert psnr(made, clean) > psnr(picture.pixels, clean) + 0.3
    tiled = Restorer(backend, Compressed(clean), tile=(192, 192)).restore(picture, treatment=treatment)
    assert psnr(tiled.picture.pixels, made) > 45


def test_what_the_network_promises_does_not_count_beside_what_is_certain(clean: Pixels) -> None:
    seen: list[str] = []

    class Promising(Compressed):
        def weigh(self, trial: Trial) -> Judgement:
            seen.append(trial.assurance)
            certain = trial.assurance == "certain"
            return Judgement(strength=self.content if certain else 1, gain=1 if certain else 9)

    bad = DEGRADATIONS["jpeg"]().degrade(torch.from_numpy(clean), torch.Generator(), {"quality": 50, "chroma": 2})
    picture, backend = Picture(pixels=quantise(bad.numpy())), Softening()
    backend.labels = ("clean", "jpeg")
    for content, ways in ((True, ["certain"]), (False, ["certain", ""])):
        seen.clear()
        (step,) = Restorer(backend, Promising(clean, content=content)).restore(picture).treatment.steps
        assert seen == ways
        assert (step.measured is not None) == content
