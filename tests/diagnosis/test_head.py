import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from undegrade.diagnosis.evidence import NUM_EVIDENCE
from undegrade.diagnosis.head import Head, Numbers, read_head, save_head, sigmoid
from undegrade.diagnosis.severity import frechet_mean
from undegrade.errors import UndegradeError

Context = Callable[..., Numbers]


def test_a_context_is_read_in_its_parts(head: Head, context: Context) -> None:
    reading = head.read(np.stack([context(1.5, -2, (0.3, 0.8)), context(-1, 4)]))
    np.testing.assert_array_equal(reading.own, [[1.5, -2], [-1, 4]])
    np.testing.assert_allclose(reading.logits, [[3, -3], [-2, 3]])
    np.testing.assert_allclose(frechet_mean(reading.levels)[0], [0.3, 0.8], atol=0.02)
    np.testing.assert_array_equal(reading.embedding[0], [1, 0, 0, 0])


def test_contexts_of_another_model_are_refused(head: Head) -> None:
    with pytest.raises(UndegradeError, match=r"calibration of made-up is for contexts of 31 numbers.* have 30"):
        head.read(np.zeros((1, 30), np.float32))


def test_strangeness_is_one_at_the_usual_distance(head: Head) -> None:
    angle = np.arccos(0.9)  # cosine distance 0.1
    embeddings = np.array([[3, 0, 0, 0], [np.cos(angle), np.sin(angle), 0, 0], [0, 1, 0, 0]], np.float32)
    np.testing.assert_allclose(head.strangeness(embeddings), [0, 1, 10], atol=1e-4)


def test_a_gain_is_foretold_for_each_strength_and_quantile(head: Head, context: Context) -> None:
    before, after = np.stack([context(3, 0)] * 2), np.stack([context(-3, 0)] * 2)
    foretold = head.foretell(before, after, np.zeros((2, NUM_EVIDENCE), np.float32), np.eye(2, dtype=np.float32))
    assert foretold.shape == (2, 2, 3)
    np.testing.assert_array_equal(foretold[1], [[1, 2, 3], [0.5, 1, 2]])


def test_the_clues_depend_on_what_was_treated(head: Head, context: Context) -> None:
    before, facts = np.stack([context(3, 1)]), np.zeros((1, NUM_EVIDENCE), np.float32)
    masks = (("noise",), ("haze",), ("noise", "haze"))
    one, other, both = (head.clues(before, before, facts, head.mask(kinds)[None]) for kinds in masks)
    assert one.shape == (1, len(head.centre))
    assert not np.array_equal(one, other)
    after_both = np.s_[:, NUM_EVIDENCE + 2 :]
    np.testing.assert_allclose(both[after_both], (one[after_both] + other[after_both]) / 2)
    np.testing.assert_array_equal(both[:, NUM_EVIDENCE:][:, :2], [[1, 1]])


def test_a_head_from_when_less_was_seen_goes_by_that(head: Head, context: Context) -> None:
    before, facts = np.stack([context(3, 1)]), np.arange(NUM_EVIDENCE, dtype=np.float32)[None]
    older = replace(head, centre=head.centre[8:], spread=head.spread[8:])
    whole, less = (one.clues(before, before, facts, head.mask(("noise",))[None]) for one in (head, older))
    np.testing.assert_array_equal(less, np.delete(whole, range(NUM_EVIDENCE - 8, NUM_EVIDENCE), axis=1))


def test_a_head_comes_back_as_it_was_saved(head: Head, tmp_path: Path) -> None:
    save_head(head, tmp_path / "a.npz")
    back = read_head(tmp_path / "a.npz")
    for field in fields(Head):
        one, other = getattr(head, field.name), getattr(back, field.name)
        if isinstance(one, np.ndarray) or field.name == "gain":
            for a, b in zip(one, other, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-3)
        else:
            assert one == other


def test_a_head_from_before_knows_two_strengths(head: Head, tmp_path: Path) -> None:
    save_head(head, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        arrays = dict(file)
    about = json.loads(str(arrays.pop("about")))
    del about["strengths"]
    assert about.pop("knows_ways")
    assert about.pop("demanded_in_turn") == 0
    np.savez(tmp_path / "older.npz", about=np.array(json.dumps({**about, "version": 2})), **arrays)
    assert read_head(tmp_path / "older.npz").strengths == (1.0, 0.5)
    assert not read_head(tmp_path / "older.npz").knows_ways
    for version, extra in ((3, {}), (4, {"knows_ways": True})):
        before = {**about, "version": version, "strengths": head.strengths, **extra}
        np.savez(tmp_path / "before.npz", about=np.array(json.dumps(before)), **arrays)
        back = read_head(tmp_path / "before.npz")
        assert (back.strengths, back.knows_ways, back.demanded_in_turn) == (head.strengths, False, None)
    np.savez(tmp_path / "lost.npz", about=np.array(json.dumps(about)), **arrays)
    with pytest.raises(UndegradeError, match="damaged or no calibration"):
        read_head(tmp_path / "lost.npz")
    np.savez(tmp_path / "other.npz", about=np.array(json.dumps({**about, "strengths": [1, 0.75, 0.5]})), **arrays)
    with pytest.raises(UndegradeError, match="damaged or no calibration"):
        read_head(tmp_path / "other.npz")


def test_what_is_no_calibration_is_refused(head: Head, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(UndegradeError, match="no such file; undegrade calibrate writes it"):
        read_head(path)
    path.write_bytes(b"PK nothing")
    with pytest.raises(UndegradeError, match="damaged or no calibration"):
        read_head(path)
    save_head(head, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UndegradeError, match="damaged or no calibration"):
        read_head(path)
    np.savez(path, about=np.array('{"version": 99}'))
    with pytest.raises(UndegradeError, match="version 99; this undegrade reads 2 to 5"):
        read_head(path)


def test_the_sigmoid_does_not_overflow() -> None:
    np.testing.assert_allclose(sigmoid(np.array([-1e4, 0, 1e4], np.float32)), [0, 0.5, 1])
