"""Histograms of oriented gradients as HOGformer's trainer computes them, and Pearson's correlation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from undegrade.objectives.histogram import correlation_loss, histogram_loss, oriented_gradients

GOLDEN = Path(__file__).parents[1] / "networks" / "goldens" / "hogformer_hogloss.npz"


def drawn(seed: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((2, 3, 44, 52), dtype=np.float32))


def test_histograms_and_their_distance_are_the_published_ones() -> None:
    with np.load(GOLDEN) as published:
        torch.testing.assert_close(oriented_gradients(drawn(11)), torch.from_numpy(published["hog_of_a"]))
        assert histogram_loss(drawn(11), drawn(12)).item() == pytest.approx(published["hog_loss_l1"].item(), rel=1e-5)


def test_too_small_a_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"is \(15, 40\); it must have at least 16"):
        oriented_gradients(torch.rand(1, 3, 15, 40))


def test_the_correlation_is_numpys() -> None:
    picture, clean = drawn(0), drawn(1)
    r = [np.corrcoef(a.flatten(), b.flatten())[0, 1] for a, b in zip(picture, clean, strict=True)]
    assert correlation_loss(picture, clean).item() == pytest.approx((1 - np.mean(r)) / 2, rel=1e-5)
    assert correlation_loss(0.5 * clean + 0.1, clean).item() == pytest.approx(0, abs=1e-5)
