from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.diagnosis import OwnJudge
from undegrade.errors import UndegradeError
from undegrade.images import Picture
from undegrade.inference.backend import Backend
from undegrade.inference.restorer import Restorer

Scene = Callable[[int, int], NDArray[np.float32]]


class Brighten(Backend):
    """Adds 0.3; says `clean` where a tile is dark in the mean, `haze` where it is bright."""

    name, labels, size_multiple, multi_label = "brighten", ("clean", "haze"), 16, False

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []
        self.contexts: list[NDArray[np.float32] | None] = []

    def run(
        self, image: NDArray[np.float32], context: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.sizes.append(image.shape[1:])
        self.contexts.append(context)
        bright = np.float32(10 * (image.mean() - 0.3))
        return image + np.float32(0.3), np.array([0, bright], np.float32)


class Broken(Brighten):
    def run(
        self, image: NDArray[np.float32], context: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return image * np.float32("nan"), np.zeros(2, np.float32)


def test_what_is_beyond_a_rough_model_is_left_to_the_exact_one(scene: Scene) -> None:
    class Rough(Broken):
        made = 0

        def exact(self) -> Backend:
            Rough.made += 1
            return Brighten()

    picture = Picture(pixels=scene(300, 700))
    restored = Restorer(Rough(), OwnJudge()).restore(picture)
    np.testing.assert_allclose(restored.picture.pixels, (picture.pixels + 0.3).clip(0, 1), atol=1e-6)
    assert Rough.made == 1


def test_large_pictures_go_through_a_model_made_for_their_tiles(scene: Scene) -> None:
    class Sized(Brighten):
        asked: ClassVar[list[tuple[int, int]]] = []

        def for_size(self, height: int, width: int) -> Backend:
            self.asked.append((height, width))
            return self

    for height, width in ((500, 600), (1024, 1500), (2100, 2600)):
        Restorer(Sized(), OwnJudge()).restore(Picture(pixels=scene(height, width)))
    assert len(Sized.asked) == 1
    assert max(Sized.asked[0]) <= 512


def test_what_is_wrong_is_repaired_and_clipped(scene: Scene) -> None:
    alpha = scene(30, 40)[:1]
    picture = Picture(pixels=scene(30, 40), alpha=alpha, bits=16, profile=b"p")
    restored = Restorer(Brighten(), OwnJudge()).restore(picture)
    assert restored.changed
    assert restored.diagnosis.label == "haze"
    np.testing.assert_allclose(restored.picture.pixels, (picture.pixels + 0.3).clip(0, 1), atol=1e-6)
    assert restored.picture.alpha is alpha
    assert (restored.picture.bits, restored.picture.profile) == (16, b"p")
    assert restored.seconds > 0


def test_what_is_well_is_left_alone_to_the_last_bit(scene: Scene) -> None:
    picture = Picture(pixels=scene(30, 40) * np.float32(0.2))
    restored = Restorer(Brighten(), OwnJudge()).restore(picture)
    assert not restored.changed
    assert restored.picture is picture
    assert restored.diagnosis.healthy


def test_gray_stays_gray(scene: Scene) -> None:
    class Tint(Brighten):
        def run(
            self, image: NDArray[np.float32], context: NDArray[np.float32] | None = None
        ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            tint = np.float32([0.1, 0.0, -0.2])[:, None, None]
            return image + tint, np.float32([0, 5])

    pixels = scene(20, 24)[:1].repeat(3, axis=0)
    restored = Restorer(Tint(), OwnJudge()).restore(Picture(pixels=pixels, gray=True)).picture
    assert np.ptp(restored.pixels, axis=0).max() == 0
    expected = (pixels[0] + 0.2126 * 0.1 - 0.0722 * 0.2).clip(0, 1)
    np.testing.assert_allclose(restored.pixels[0], expected, atol=1e-6)


def test_large_pictures_go_tile_by_tile_without_a_seam(scene: Scene) -> None:
    backend, told = Brighten(), []
    picture = Picture(pixels=np.maximum(scene(1700, 900), np.float32(0.4)))
    restored = Restorer(backend, OwnJudge()).restore(picture, lambda done, total: told.append((done, total)))
    assert backend.sizes[:9] == [(256, 256)] * 9
    assert len(backend.sizes[9:]) == 8
    assert told == [(n, 8) for n in range(1, 9)]
    np.testing.assert_allclose(restored.picture.pixels, (picture.pixels + 0.3).clip(0, 1), atol=1e-6)


def test_every_tile_is_told_what_the_samples_say(scene: Scene) -> None:
    backend = Brighten()
    ramp = np.linspace(0.2, 1, 1000, dtype=np.float32)
    restored = Restorer(backend, OwnJudge()).restore(Picture(pixels=np.broadcast_to(ramp, (3, 300, 1000)).copy()))
    told = [context for context in backend.contexts if context is not None]
    samples = [context for context in backend.contexts if context is None]
    assert (len(samples), len(told)) == (6, 3)
    np.testing.assert_array_equal(told[0], told[1])
    assert told[0][0] == 0
    # The samples' logits, 10 * (mean - 0.3), average to that of the ramp.
    np.testing.assert_allclose(told[0][1], 10 * (0.6 - 0.3), atol=0.05)
    assert restored.diagnosis.probability == pytest.approx(1 / (1 + np.exp(-told[0][1])), abs=1e-6)


def test_a_model_that_names_several_says_all(scene: Scene) -> None:
    class Several(Brighten):
        labels, multi_label = ("rain", "haze", "snow"), True

        def run(
            self, image: NDArray[np.float32], context: NDArray[np.float32] | None = None
        ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            return image, np.float32([2, -200 * (image.mean() < 0.1), -90])

    found = Restorer(Several(), OwnJudge(multi_label=True)).diagnose(Picture(pixels=scene(40, 40)))
    assert found.present == ("rain", "haze")
    assert found.probabilities["rain"] == pytest.approx(1 / (1 + np.exp(-2)))
    assert found.probabilities["haze"] == 0.5
    dark = Restorer(Several(), OwnJudge(multi_label=True)).diagnose(Picture(pixels=np.zeros((3, 40, 40), np.float32)))
    assert dark.present == ("rain",)
    assert dark.probabilities["haze"] == 0


def test_a_small_picture_is_looked_at_once(scene: Scene) -> None:
    backend = Brighten()
    Restorer(backend, OwnJudge()).restore(Picture(pixels=np.maximum(scene(256, 200), np.float32(0.4))))
    assert (backend.sizes, backend.contexts) == ([(256, 200)], [None])


def test_diagnosis_and_restoration_judge_alike_by_at_most_nine_samples() -> None:
    ramp = np.linspace(0, 1, 3000, dtype=np.float32)
    picture = Picture(pixels=np.broadcast_to(ramp, (3, 2500, 3000)).copy())
    looking, restoring = Brighten(), Brighten()
    found = Restorer(looking, OwnJudge()).diagnose(picture)
    restored = Restorer(restoring, OwnJudge()).restore(picture)
    assert found == restored.diagnosis
    assert len(looking.sizes) == 9
    assert len(restoring.sizes) == 9 + 6 * 7
    assert 0.5 < found.probability < 1


def test_an_answer_that_is_no_number_is_never_passed_on(scene: Scene) -> None:
    with pytest.raises(UndegradeError, match="brighten: the model's answer is no number"):
        Restorer(Broken(), OwnJudge()).restore(Picture(pixels=scene(20, 20)))


class Nameless(Brighten):
    labels = ()

    def run(
        self, image: NDArray[np.float32], context: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return super().run(image)[0], np.zeros(0, np.float32)


@pytest.mark.parametrize("size", [(20, 30), (900, 800)])
def test_a_model_that_names_nothing_repairs_everything(size: tuple[int, int], scene: Scene) -> None:
    picture, backend = Picture(pixels=scene(*size) * np.float32(0.5)), Nameless()
    restored = Restorer(backend, OwnJudge(), tile=(512, 512)).restore(picture)
    assert restored.diagnosis is None
    assert restored.changed
    np.testing.assert_allclose(restored.picture.pixels, picture.pixels + np.float32(0.3), atol=1e-5)
    with pytest.raises(UndegradeError, match=r"^brighten: the model has no classifier and cannot say what is wrong"):
        Restorer(backend, OwnJudge()).diagnose(picture)
