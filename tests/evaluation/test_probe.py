from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from undegrade.degradations import parse
from undegrade.evaluation.probe import degraded_crops, draw, features_of, probe
from undegrade.images import read_picture
from undegrade.networks import DegradationClassifier, NAFNet, UniversalRestorer

NAMES = ("clean", "noise", "low_light")
WAYS = np.tile(np.arange(3), 12)


def told(share: float) -> NDArray[np.float32]:
    """Features of 12 photographs in three ways, of which a share of the photographs tells the way."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(36, 6)).astype(np.float32)
    telling = np.repeat(np.arange(12) < share * 12, 3)
    features[telling, WAYS[telling]] += 8
    return features


def test_features_that_tell_are_read_off_and_others_are_not() -> None:
    good, bad = probe("good", told(1), WAYS), probe("bad", told(0), WAYS)
    assert good.knn == good.linear == 1
    assert good.knn_deviation == 0
    assert bad.knn < 0.7
    assert bad.linear < 0.7
    assert good.places.shape == (36, 2)
    assert probe("half", told(0.5), WAYS).linear < 1


def test_no_photograph_is_known_and_unknown() -> None:
    """Features that name the photograph alone, its way being at random: known ones would be remembered."""
    rng = np.random.default_rng(1)
    photo = np.repeat(np.eye(12, dtype=np.float32), 3, axis=0)
    found = probe("remembering", np.hstack([10 * photo, rng.normal(size=(36, 2)).astype(np.float32)]), WAYS)
    assert found.knn < 0.6


def test_crops_hold_each_photograph_in_every_way() -> None:
    photos = [np.random.default_rng(n).random((3, 150, 140), np.float32) for n in range(2)]
    crops, ways = degraded_crops(photos, [parse("noise(sigma=50)"), parse("low_light(stops=3)")])
    assert crops.shape == (6, 3, 128, 128)
    assert ways.tolist() == [0, 1, 2, 0, 1, 2]
    np.testing.assert_array_equal(crops[3], photos[1][:, 11:139, 6:134])
    assert np.abs(crops[1] - crops[0]).mean() > 0.1
    assert crops[2].mean() < 0.5 * crops[0].mean()
    again, _ = degraded_crops(photos, [parse("noise(sigma=50)"), parse("low_light(stops=3)")])
    np.testing.assert_array_equal(again, crops)


def test_features_are_means_and_deviations_or_all_of_them() -> None:
    torch.manual_seed(0)
    network = NAFNet(NAFNet.Config(width=4, encoder=(1, 1), decoder=(1, 1)))
    model = UniversalRestorer(network, DegradationClassifier.Config(), NAMES)
    crops = np.random.default_rng(0).random((2, 3, 32, 32), np.float32)
    assert features_of(model, crops).shape == (2, 2 * (8 + 4))
    flat = features_of(model, crops, flat=True)
    assert flat.shape == (2, 8 * 16 * 16 + 4 * 32 * 32)
    maps = flat[0, : 8 * 256].reshape(8, 256)
    np.testing.assert_allclose(features_of(model, crops)[0, :8], maps.mean(1), atol=1e-6)
    np.testing.assert_allclose(features_of(model, crops)[0, 8:16], maps.std(1, ddof=1), atol=1e-6)


@pytest.mark.slow
def test_the_picture_shows_every_model(tmp_path: Path) -> None:
    found = [probe("one", told(1), WAYS), probe("two", told(0), WAYS)]
    draw(found, WAYS, NAMES, tmp_path / "tsne.png")
    pixels = read_picture(tmp_path / "tsne.png").pixels
    assert pixels.shape[2] > 1.5 * pixels.shape[1]
    assert len(np.unique((pixels * 255).round().reshape(3, -1), axis=1).T) > 3
