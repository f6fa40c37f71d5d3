from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

import undegrade
from undegrade.images import read_picture
from undegrade.images.colour import blended

Scene = Callable[[int, int], NDArray[np.float32]]


def as_array(pixels: NDArray[np.float32], dtype: type) -> NDArray:
    image = np.moveaxis(pixels, 0, 2)
    return image.astype(dtype) if dtype is np.float64 else np.round(image * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_arrays_come_back_as_they_were_given(model: Path, scene: Scene, dtype: type) -> None:
    image = as_array(scene(40, 52), dtype)
    before = image.copy()
    result = undegrade.restore(image, model)
    assert isinstance(result.image, np.ndarray)
    assert (result.image.shape, result.image.dtype) == (image.shape, image.dtype)
    assert result.changed
    assert not np.array_equal(result.image, image)
    assert np.array_equal(image, before)
    assert result.diagnosis.label == "rain"
    assert result.diagnosis == undegrade.diagnose(image, model)


def test_pillow_images_come_back_as_pillow_images(model: Path, scene: Scene) -> None:
    image = PIL.Image.fromarray(as_array(scene(40, 52), np.uint8)).convert("RGBA")
    result = undegrade.restore(image, str(model))
    assert isinstance(result.image, PIL.Image.Image)
    assert (result.image.mode, result.image.size) == ("RGBA", (52, 40))


def test_paths_come_back_as_arrays(model: Path, photo_file: Path) -> None:
    result = undegrade.restore(photo_file, undegrade.load(model))
    assert isinstance(result.image, np.ndarray)
    assert (result.image.shape, result.image.dtype) == ((45, 70, 3), np.uint8)


def test_only_what_is_asked_for_is_repaired(model: Path, scene: Scene) -> None:
    image = as_array(scene(40, 52), np.uint8)
    for asked in ({"skip": ["rain"]}, {"only": ["noise"]}):
        left = undegrade.restore(image, model, **asked)
        assert not left.changed
        assert np.array_equal(left.image, image)
    assert undegrade.restore(image, model, only=["rain"]).changed
    asked_before = undegrade.Restorer(model, skip=["rain"])
    assert not undegrade.restore(image, asked_before).changed
    assert undegrade.restore(image, asked_before, only="rain, haze").changed
    with pytest.raises(undegrade.UndegradeError, match="only and skip: both name rain; name it in one of them"):
        undegrade.restore(image, model, only="rain", skip=["rain"])


def test_strength_goes_a_part_of_the_way(model: Path, scene: Scene) -> None:
    image = scene(40, 52).transpose(1, 2, 0)
    whole = undegrade.restore(image, model, only="rain")
    half = undegrade.restore(image, model, only="rain", strength=0.5)
    expected = blended(image.transpose(2, 0, 1), whole.image.transpose(2, 0, 1), 0.5)
    assert half.changed
    np.testing.assert_allclose(half.image.transpose(2, 0, 1), expected, atol=1e-5)
    none = undegrade.restore(image, model, only="rain", strength=0)
    assert not none.changed
    assert np.array_equal(none.image, image)
    with pytest.raises(undegrade.UndegradeError, match="strength is 70; expected a number from 0 to 1"):
        undegrade.restore(image, model, strength=70)


def test_what_is_well_comes_back_as_it_was(contented_model: Path, scene: Scene) -> None:
    image = as_array(scene(40, 52), np.uint8)
    result = undegrade.restore(image, contented_model)
    assert not result.changed
    assert result.diagnosis.healthy
    assert np.array_equal(result.image, image)


def test_a_model_is_loaded_once_until_its_file_changes(model: Path, checkpoint: Path, tmp_path: Path) -> None:
    assert undegrade.load(model) is undegrade.load(str(model))
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(checkpoint.read_bytes())
    first = undegrade.load(copy)
    copy.write_bytes(b"something else")
    with pytest.raises(undegrade.UndegradeError, match=r"copy.safetensors: not a readable checkpoint"):
        undegrade.load(copy)
    assert first.backend.labels[0] == "clean"


def test_degrading_is_replayed_by_its_seed(scene: Scene) -> None:
    image = as_array(scene(40, 52), np.uint8)
    first = undegrade.degrade(image, "noise(sigma=10..20)", "jpeg(quality=30)", seed=3)
    again = undegrade.degrade(image, "noise(sigma=10..20)", "jpeg(quality=30)", seed=3)
    other = undegrade.degrade(image, "noise(sigma=10..20)", "jpeg(quality=30)", seed=4)
    assert isinstance(first.image, np.ndarray)
    assert np.array_equal(first.image, again.image)
    assert first.records == again.records
    assert not np.array_equal(first.image, other.image)
    assert [step.degradation for step in first.records] == ["noise", "jpeg"]
    assert 10 <= first.records[0].severities["sigma"] <= 20
    assert first.records[1].severities == {"quality": 30.0, "chroma": 2.0}


def test_records_replay_the_image(scene: Scene) -> None:
    image = as_array(scene(40, 52), np.uint8)
    spoiled = undegrade.degrade(image, "haze", "noise", seed=3)
    again = undegrade.replay(image, spoiled.records)
    assert isinstance(again, np.ndarray)
    assert np.array_equal(again, spoiled.image)


def test_degrading_keeps_gray_and_alpha(scene: Scene) -> None:
    gray = as_array(scene(40, 52), np.uint8)[:, :, 0]
    spoiled = undegrade.degrade(gray, "noise(sigma=25)").image
    assert isinstance(spoiled, np.ndarray)
    assert spoiled.shape == gray.shape
    rgba = np.dstack([as_array(scene(40, 52), np.uint8), gray])
    spoiled = undegrade.degrade(rgba, "noise(sigma=25)").image
    assert isinstance(spoiled, np.ndarray)
    assert np.array_equal(spoiled[:, :, 3], gray)
    assert not np.array_equal(spoiled[:, :, :3], rgba[:, :, :3])


@pytest.mark.parametrize(
    ("specs", "message"),
    [((), "at least one"), (("frost",), "unknown degradation 'frost'"), (("noise(x=1)",), "unknown field 'x'")],
)
def test_degradations_that_do_not_exist_are_refused(scene: Scene, specs: tuple[str, ...], message: str) -> None:
    with pytest.raises(undegrade.UndegradeError, match=message):
        undegrade.degrade(as_array(scene(16, 16), np.uint8), *specs)


def test_images_that_are_none_are_refused(model: Path, tmp_path: Path) -> None:
    for image in (3, np.zeros((4, 4, 7)), tmp_path / "nope.png"):
        with pytest.raises(undegrade.UndegradeError):
            undegrade.restore(image, model)


def test_the_file_itself_is_not_touched(model: Path, photo_file: Path) -> None:
    before = photo_file.read_bytes()
    undegrade.restore(photo_file, model)
    undegrade.degrade(photo_file, "rain")
    assert photo_file.read_bytes() == before
    assert read_picture(photo_file).pixels.shape == (3, 45, 70)
