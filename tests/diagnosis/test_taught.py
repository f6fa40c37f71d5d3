from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from undegrade.diagnosis import Gate
from undegrade.diagnosis.head import Head, Numbers, unit
from undegrade.diagnosis.taught import WAYS, Taught, find_taught, read_taught, save_taught
from undegrade.errors import UndegradeError

FLARE = np.array([[0, 0, 0, 1], [0.1, 0, 0, 1]], np.float32)


@pytest.fixture
def taught() -> Taught:
    return Taught().with_kind("lens_flare", unit(FLARE))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_tells_the_new_from_the_old(way: str, head: Head, taught: Taught) -> None:
    likeness = WAYS[way](taught, head.bases, unit(np.array([[0, 0.1, 0, 1], [0.9, 0.5, 0.1, 0.2]], np.float32)))
    assert likeness.shape == (2, len(head.bases) + 1)
    assert likeness[0].argmax() == len(head.bases)
    assert likeness[1].argmax() == 1


def test_few_examples_lean_on_what_is_known(head: Head) -> None:
    """Between a base and nothing known: the calibrated mean is nearer to the base than the examples are."""
    one = Taught().with_kind("new", unit(np.array([[0.6, 0, 0, 0.8]], np.float32)))
    base = head.bases[:1]
    assert WAYS["calibrated"](one, head.bases, base)[0, -1] > WAYS["nearest mean"](one, head.bases, base)[0, -1]


def test_a_taught_kind_is_named_and_left_alone(head: Head, taught: Taught, context: Callable[..., Numbers]) -> None:
    gate = Gate(head=replace(head, strangest=1.0), taught=taught)
    strange = context(-3, -3)
    strange[:4] = [0, 0, 0, 2]
    found = gate.name(strange[None], ("clean", "noise", "haze"), {})
    assert (found.label, found.present) == ("lens_flare", ())
    assert found.sentence.startswith("likely lens flare, which I was taught to name, not to repair")
    assert gate.candidates(found, ()) == ()
    assert gate.name(context(-3, -3)[None], ("clean", "noise", "haze"), {}).label == "clean"
    # Something that was measured to be there does not hide it.
    assert gate.name(strange[None], ("clean", "noise", "haze"), {"noise": 20.0}).label == "lens_flare"
    noisy = strange.copy()
    noisy[4] = 9
    assert gate.name(noisy[None], ("clean", "noise", "haze"), {}).label == "noise"  # of which it is sure
    assert find_taught(head, Taught(), np.zeros((1, 4), np.float32)) is None


def test_what_was_taught_is_kept_and_forgotten(taught: Taught, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    assert read_taught(path).names == ()
    save_taught(taught.with_kind("dust", unit(FLARE[:1])), path)
    back = read_taught(path)
    assert back.names == ("lens_flare", "dust")
    np.testing.assert_allclose(back.examples[0], unit(FLARE), atol=1e-3)
    save_taught(back.without("lens_flare"), path)
    assert read_taught(path).names == ("dust",)
    save_taught(Taught(), path)
    assert not path.exists()


def test_a_kind_that_is_taught_again_is_replaced(taught: Taught) -> None:
    again = taught.with_kind("lens_flare", np.ones((30, 4), np.float32))
    assert again.names == ("lens_flare",)
    assert again.examples[0].shape == (20, 4)


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"PK")
    with pytest.raises(UndegradeError, match="remove it and teach them anew"):
        read_taught(path)
