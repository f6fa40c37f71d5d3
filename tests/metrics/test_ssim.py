import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from undegrade.metrics import ssim

RNG = np.random.default_rng(0)
CLEAN = np.kron(RNG.random((3, 6, 8)), np.ones((1, 6, 6))).astype(np.float32)
NOISY = (CLEAN + RNG.normal(0, 0.1, CLEAN.shape)).clip(0, 1).astype(np.float32)


def by_hand(picture: NDArray[np.float32], clean: NDArray[np.float32]) -> float:
    """Wang et al., 2004: ((2 ab + c1)(2 cov + c2)) / ((a2 + b2 + c1)(va + vb + c2)) in a Gaussian window."""
    line = torch.exp(-0.5 * ((torch.arange(11, dtype=torch.float64) - 5) / 1.5) ** 2)
    window = (line[:, None] * line[None, :] / line.sum() ** 2)[None, None]

    def mean(x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x[:, None], window)

    a, b = torch.from_numpy(picture).double(), torch.from_numpy(clean).double()
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, cov = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    value = (2 * mean_a * mean_b + c1) * (2 * cov + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return value.mean().item()


def test_it_is_the_formula() -> None:
    assert ssim(NOISY, CLEAN) == pytest.approx(by_hand(NOISY, CLEAN), abs=1e-5)


def test_it_is_scikit_images_mean_over_the_channels() -> None:
    channels = [
        structural_similarity(c, p, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
        for c, p in zip(CLEAN, NOISY, strict=True)
    ]
    assert ssim(NOISY, CLEAN) == pytest.approx(np.mean(channels), abs=1e-6)


def test_it_is_one_for_the_same_picture_and_falls_with_noise() -> None:
    assert ssim(CLEAN, CLEAN) == pytest.approx(1, abs=1e-6)
    worse = (CLEAN + RNG.normal(0, 0.3, CLEAN.shape)).clip(0, 1).astype(np.float32)
    assert 1 > ssim(NOISY, CLEAN) > ssim(worse, CLEAN) > ssim(1 - CLEAN, CLEAN)
