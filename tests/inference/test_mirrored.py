from pathlib import Path

import numpy as np
import pytest

from undegrade.images.padding import pad_to_multiple
from undegrade.inference.backend import Backend, Pixels
from undegrade.inference.mirrored import Mirrored
from undegrade.inference.openvino import OpenVinoBackend
from undegrade.inference.treatment import steered


@pytest.fixture(scope="module")
def backend(model: Path) -> OpenVinoBackend:
    return OpenVinoBackend(model, precision="f32")


@pytest.fixture
def image() -> Pixels:
    return np.random.default_rng(0).random((3, 48, 64), np.float32)


def test_the_answer_is_the_mean_over_mirror_images(backend: OpenVinoBackend, image: Pixels) -> None:
    made, own = Mirrored(backend).run(image)
    plain, said = backend.run(image)
    np.testing.assert_array_equal(own, said)  # what is seen is not mirrored
    answers = [plain]
    for axes in ((2,), (1,), (1, 2)):
        turned = np.ascontiguousarray(np.flip(image, axes))
        answers.append(np.flip(backend.run(turned, said)[0], axes))
    np.testing.assert_allclose(made, np.mean(answers, axis=0), atol=1e-6)
    assert np.abs(made - plain).max() > 1e-4


def test_a_mirror_image_gives_the_mirror_image(backend: OpenVinoBackend, image: Pixels) -> None:
    context = backend.run(image)[1]
    made, _ = Mirrored(backend).run(image, context)
    for axis in (1, 2):
        other, _ = Mirrored(backend).run(np.ascontiguousarray(np.flip(image, axis)), context)
        np.testing.assert_allclose(np.flip(other, axis), made, atol=1e-5)


def test_borders_are_mirrored_with_the_rest(backend: OpenVinoBackend, image: Pixels) -> None:
    cut = image[:, :41, :53]
    padded, height, width = pad_to_multiple(cut, backend.size_multiple)
    context = backend.run(cut)[1]
    made, _ = Mirrored(backend).run(cut, context)
    np.testing.assert_allclose(made, Mirrored(backend).run(padded, context)[0][:, :height, :width], atol=1e-6)


def test_haze_is_not_turned_upside_down(backend: OpenVinoBackend, image: Pixels) -> None:
    named = Mirrored(backend)
    named.labels = ("clean", "haze", *backend.labels[2:])
    context = steered(backend.run(image)[1], named.labels, "haze")
    made, _ = named.run(image, context)
    beside = backend.run(np.ascontiguousarray(image[:, :, ::-1]), context)[0][:, :, ::-1]
    np.testing.assert_allclose(made, (backend.run(image, context)[0] + beside) / 2, atol=1e-6)


def test_it_is_made_ready_as_the_model_is(model: Path, backend: OpenVinoBackend, image: Pixels) -> None:
    context = backend.run(image)[1]
    whole, _ = Mirrored(backend).run(image, context)
    sized, _ = Mirrored(backend).for_size(48, 64).run(image, context)
    np.testing.assert_allclose(sized, whole, atol=1e-5)
    assert Mirrored(backend).exact() is None
    rounded = Mirrored(OpenVinoBackend(model))
    assert rounded.backend.exact() is None or isinstance(rounded.exact(), Mirrored)
    np.testing.assert_array_equal(Mirrored(backend).see(image), context)
    assert Mirrored(backend).name == f"{backend.name}, mirrored"


class Darker(Backend):
    """Halves what it is given."""

    name, labels, size_multiple, multi_label = "darker", (), 16, False

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        return image / 2, np.zeros(1, np.float32)

    def for_size(self, height: int, width: int) -> Backend:
        self.sizes.append((height, width))
        return self


def test_a_larger_model_repairs_some_kinds(backend: OpenVinoBackend, image: Pixels) -> None:
    larger, opened = Darker(), list[int]()

    def opening() -> Backend:
        opened.append(1)
        return larger

    kind, other = backend.labels[1:3]
    both, alone = Mirrored(backend, opening, (kind,)), Mirrored(backend)
    own = backend.run(image)[1]
    contexts = {name: steered(own, backend.labels, name) for name in (kind, other)}
    np.testing.assert_array_equal(both.run(image, contexts[other])[0], alone.run(image, contexts[other])[0])
    assert not opened
    sized = both.for_size(48, 64)
    for one in (both, sized):
        np.testing.assert_array_equal(one.run(image, contexts[kind])[0], image / 2)
        one.run(image, contexts[kind])
    assert (opened, larger.sizes) == ([1], [(48, 64)])
    named = Mirrored(backend, opening, backend.labels)  # whatever it is that the model sees
    np.testing.assert_array_equal(named.run(image)[0], image / 2)
    np.testing.assert_array_equal(named.run(image)[1], own)
