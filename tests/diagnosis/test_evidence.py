from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.diagnosis.evidence import (
    NUM_EVIDENCE,
    UNSEEN,
    change_of_colour,
    detail,
    evidence,
    likeness,
    new_clipping,
)

Scene = Callable[[int, int], NDArray[np.float32]]


def test_nothing_done_leaves_no_trace(scene: Scene) -> None:
    picture = 0.1 + 0.8 * scene(64, 48)
    facts = evidence(picture, picture)
    assert facts.shape == (NUM_EVIDENCE,)
    assert not facts[1:4].any()
    assert facts[9] == facts[10]
    assert likeness(facts[None]) == pytest.approx(1, abs=1e-3)
    assert len(set(facts[14:18])) == 1


def test_what_was_done_is_seen(scene: Scene) -> None:
    picture = 0.1 + 0.8 * scene(64, 48)
    redder = picture + np.array([0.1, 0, 0], np.float32)[:, None, None]
    facts = np.stack([evidence(picture, redder)] * 2)
    assert change_of_colour(facts) == pytest.approx(0.1, abs=1e-4)
    burnt = picture.copy()
    burnt[:, :16] = 1
    assert new_clipping(evidence(picture, burnt)[None]) == pytest.approx(0.25)
    other = picture[:, ::-1, ::-1].copy()
    assert likeness(evidence(picture, other)[None]) < 0.9
    rng = np.random.default_rng(0)
    noisy = (picture + 0.05 * rng.normal(size=picture.shape)).astype(np.float32)
    assert evidence(noisy, picture)[9] > evidence(noisy, picture)[10]


def test_what_few_pixels_had_and_where_the_values_end_is_seen(scene: Scene) -> None:
    picture = 0.3 + 0.4 * scene(100, 100)
    scratched = picture.copy()
    scratched[:, 50] = 1  # a hundredth of the pixels
    of_few = evidence(scratched, picture)[14:18]
    assert of_few[0] == of_few[1] < of_few[3]
    dark, bright = (float(np.percentile(of, share)) for of, share in ((picture.min(0), 1), (picture.max(0), 99)))
    wider = (picture - 0.3) / 0.5
    found = evidence(picture, wider)[18:22]
    np.testing.assert_allclose(found, [dark, bright, (dark - 0.3) / 0.5, (bright - 0.3) / 0.5], atol=1e-4)


def test_a_scratch_is_told_from_a_wire(scene: Scene) -> None:
    picture = np.broadcast_to(0.4 + 0.2 * scene(100, 100), (3, 100, 100)).astype(np.float32)
    scratched, wired, grainy = picture.copy(), picture.copy(), picture.copy()
    scratched[:, 50:52] = 1
    wired[:, 50:52] = np.array([0.6, 0.3, 0.3], np.float32)[:, None, None]
    grainy[:, ::10, ::10] = 1
    scratch, wire, grain = (evidence(of, picture)[22:] for of in (scratched, wired, grainy))
    share, part, elsewhere, near, far, farthest, colour, sign = range(8)
    assert scratch[share] == pytest.approx(np.log10(0.02 + 1e-3))
    assert scratch[part] == pytest.approx(1)
    assert scratch[elsewhere] == pytest.approx(-3)
    assert scratch[near] > 2 * grain[near] > 0
    assert scratch[[far, farthest, colour]] == pytest.approx(0, abs=1e-5)
    assert min(wire[far], wire[farthest]) > 0.2
    assert wire[colour] == pytest.approx(0.3)
    assert scratch[sign] == -1
    few = picture.copy()
    few[:, :3, 0] = 1
    for of in (picture, few):  # too few to tell what they are
        np.testing.assert_array_equal(evidence(of, picture)[25:], UNSEEN)
    assert evidence(few, picture)[22 + part] == pytest.approx(1, abs=1e-4)
    assert evidence(picture, picture)[22 + part] == 0


def test_detail_is_the_difference_of_neighbours() -> None:
    stripes = np.tile(np.array([0.0, 0.5], np.float32), (8, 4))
    assert detail(stripes) == pytest.approx(0.5 / 2**0.5)
