from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from undegrade.data.folder import CleanFolder
from undegrade.errors import UndegradeError
from undegrade.images import Picture, write_picture
from undegrade.networks import UniversalRestorer
from undegrade.networks.checkpoint import load_checkpoint, save_checkpoint
from undegrade.networks.universal import GRADES
from undegrade.training.grading import Grading, begin_with, grade_loss, train_grader, with_grader

KINDS = ("noise", "haze")
SHORT = Grading(steps=4, crops=(32, 40), pixels=2 * 40**2)
Scene = Callable[[int, int], NDArray[np.float32]]


@pytest.fixture
def graded(checkpoint: Path) -> UniversalRestorer:
    return with_grader(load_checkpoint(checkpoint), KINDS)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> CleanFolder:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(2):
        coarse = np.random.default_rng(number).random((3, 10, 13)).astype(np.float32)
        write_picture(Picture(pixels=coarse.repeat(4, 1).repeat(4, 2)), folder / f"{number}.png")
    return CleanFolder(folder)


def picture(scene: Scene) -> torch.Tensor:
    return torch.from_numpy(scene(64, 48))[None]


@torch.no_grad()
def test_it_begins_as_the_classifier(graded: UniversalRestorer, scene: Scene) -> None:
    features = graded.network.features(picture(scene))
    own, (embedding, answer) = graded.name(features), graded.grade(features)
    places = [graded.labels.index(kind) for kind in KINDS]
    torch.testing.assert_close(answer[:, :2], own[:, places] - own[:, [graded.labels.index("clean")]])
    assert answer.shape == (1, 2 + 2 * GRADES)
    assert graded.num_graded == embedding.shape[1] + answer.shape[1]


@torch.no_grad()
def test_the_context_holds_it_before_the_logits(graded: UniversalRestorer, checkpoint: Path, scene: Scene) -> None:
    bare, nothing = load_checkpoint(checkpoint), torch.zeros(())
    image = picture(scene)
    drawn, context = graded.answer_part(image, torch.zeros(1, graded.num_context), nothing)
    expected, old = bare.answer_part(image, torch.zeros(1, bare.num_context), nothing)
    torch.testing.assert_close(drawn, expected)
    end = -len(graded.labels)
    torch.testing.assert_close(context[:, end:], old[:, end:])
    torch.testing.assert_close(context[:, : end - graded.num_graded], old[:, :end])
    features = graded.network.features(image)
    torch.testing.assert_close(context[:, end - graded.num_graded : end], torch.cat(graded.grade(features), 1))
    torch.testing.assert_close(graded.draw_part(image, context), graded.answer_part(image, context, torch.ones(()))[0])


@torch.no_grad()
def test_it_sees_what_stands_out_in_one_place(graded: UniversalRestorer, scene: Scene) -> None:
    grader = graded.grader
    assert grader is not None
    grader.last_stage = torch.nn.Identity()
    grader.mixing_weights[:] = 0  # each feature counts alike
    features = graded.network.features(picture(scene))
    before = grader.pooled(features)
    count = before.shape[1] // 2
    features[0][..., 0, 0] += 50
    change = (grader.pooled(features) - before).abs()
    assert change[:, count:].max() > 4 * change[:, :count].max()


@torch.no_grad()
def test_a_checkpoint_keeps_the_grader(graded: UniversalRestorer, tmp_path: Path, scene: Scene) -> None:
    save_checkpoint(graded, tmp_path / "a.safetensors", half=False)
    back = load_checkpoint(tmp_path / "a.safetensors")
    assert back.kinds == KINDS
    features = graded.network.features(picture(scene))
    torch.testing.assert_close(back.grade(features)[1], graded.grade(features)[1])


def test_the_loss_leaves_out_what_is_in_doubt() -> None:
    present = torch.tensor([[1.0, float("nan")], [0.0, 1.0]])
    levels = torch.tensor([[0.3, 0.9], [float("nan"), 1.0]])
    answer = torch.zeros(2, 2 + 2 * GRADES)
    answer[:, :2] = torch.tensor([[9.0, 123.0], [-9.0, 9.0]])
    grades = answer[:, 2:].view(2, 2, GRADES)
    grades[0, 0, 3] = grades[1, 1, 10] = 5
    grades[0, 1] = torch.randn(GRADES)  # of no kind that is surely there
    named, graded = grade_loss(answer, present, levels)
    assert named < 1e-3
    right = float(graded)
    grades[0, 0, 3], grades[0, 0, 9] = 0, 5
    assert grade_loss(answer, present, levels)[1] > right + 1


def test_only_the_grader_learns(graded: UniversalRestorer, photos: CleanFolder) -> None:
    before = {name: value.clone() for name, value in graded.state_dict().items()}
    train_grader(graded, photos, SHORT)
    changed = {name for name, value in graded.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("grader.") for name in changed)
    assert not graded.training


@pytest.mark.slow
def test_a_run_that_was_broken_off_goes_on(
    checkpoint: Path, photos: CleanFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken, resumed = (with_grader(load_checkpoint(checkpoint), KINDS) for _ in range(3))
    train_grader(whole, photos, SHORT)
    monkeypatch.setattr("undegrade.training.grading.SAVED", 2)
    monkeypatch.setattr("undegrade.training.grading.TOLD", 3)

    def stop(step: int, losses: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_grader(broken, photos, SHORT, state=tmp_path / "state.pt", tell=stop)
    assert (tmp_path / "state.pt").exists()
    steps: list[int] = []
    train_grader(resumed, photos, SHORT, state=tmp_path / "state.pt", tell=lambda step, losses: steps.append(step))
    assert steps == [3]
    for one, other in zip(whole.grader.parameters(), resumed.grader.parameters(), strict=True):  # type: ignore[union-attr]
        torch.testing.assert_close(one, other)
    assert not (tmp_path / "state.pt").exists()


def test_no_specimen_is_drawn_twice() -> None:
    grading = Grading(crops=(64, 32, 48), pixels=2 * 64**2)
    sides, numbers = zip(*(grading.numbers(step) for step in range(6)), strict=True)
    assert sides == (64, 32, 48) * 2
    assert [len(some) for some in numbers] == [2, 8, 3] * 2
    drawn = [number for some in numbers for number in some]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("crops", [(), (0,), (32, 65)])
def test_crops_that_a_step_cannot_hold_are_refused(crops: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Grading.crops is .*, Grading.pixels 4096; expected"):
        Grading(crops=crops, pixels=64**2)


def test_the_state_of_another_grader_is_refused(graded: UniversalRestorer, photos: CleanFolder, tmp_path: Path) -> None:
    state = tmp_path / "grader.pt"
    torch.save({"grader": {"fc.weight": torch.zeros(1)}}, state)
    with pytest.raises(UndegradeError, match=r"grader.pt: the weights are of another grader"):
        train_grader(graded, photos, SHORT, state=state)


def test_what_cannot_be_graded_is_refused(checkpoint: Path) -> None:
    model = load_checkpoint(checkpoint)
    with pytest.raises(UndegradeError, match=r"labels are clean, .*expected a classifier that knows noise, fog"):
        with_grader(model, ("noise", "fog"))
    with pytest.raises(ValueError, match="without a classifier there can be none"):
        UniversalRestorer(model.network, None, (), kinds=("noise",))


def test_it_goes_on_from_the_grader_of_another_checkpoint(
    graded: UniversalRestorer, checkpoint: Path, tmp_path: Path
) -> None:
    assert graded.grader is not None
    with torch.no_grad():
        graded.grader.fc.bias.add_(1)
    save_checkpoint(graded, tmp_path / "before.safetensors", recipe=None)
    fresh = with_grader(load_checkpoint(checkpoint), KINDS)
    begin_with(fresh, tmp_path / "before.safetensors")
    assert fresh.grader is not None
    for name, value in fresh.grader.state_dict().items():
        torch.testing.assert_close(value, graded.grader.state_dict()[name], rtol=1e-3, atol=1e-3)  # halves are kept
    with pytest.raises(UndegradeError, match=r"has a grader of noise, haze; expected one of this shape of noise, rain"):
        begin_with(with_grader(load_checkpoint(checkpoint), ("noise", "rain")), tmp_path / "before.safetensors")
    with pytest.raises(UndegradeError, match="has no grader; expected one"):
        begin_with(fresh, checkpoint)
