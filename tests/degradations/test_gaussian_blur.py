import math
from collections.abc import Callable

import pytest
import torch
from scipy.ndimage import gaussian_filter

from undegrade.degradations.gaussian_blur import GaussianBlur, stretched_gaussian
from undegrade.degradations.light import to_display, to_linear


@pytest.mark.parametrize(("sigma", "ratio", "turn"), [(0.7, 1.0, 0.0), (2.0, 2.0, 0.5), (1.0, 4.0, 2.5)])
def test_the_kernel_has_the_stated_deviations_along_its_axes(
    sigma: float, ratio: float, turn: float, moments: Callable
) -> None:
    mean, covariance = moments(stretched_gaussian(sigma, ratio=ratio, turn=turn))
    along = torch.tensor([math.sin(turn), math.cos(turn)], dtype=torch.float64)
    across = torch.tensor([math.cos(turn), -math.sin(turn)], dtype=torch.float64)
    assert mean.abs().max() < 1e-5
    assert (along @ covariance @ along).sqrt().item() == pytest.approx(sigma * ratio, rel=0.015)
    assert (across @ covariance @ across).sqrt().item() == pytest.approx(sigma, rel=0.015)


def test_a_round_one_is_scipys_in_linear_light(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 40, 50)
    expected = gaussian_filter(to_linear(clean).numpy(), (0, 2, 2), mode="mirror", truncate=5)
    blurred = GaussianBlur().apply(clean, seeded(0), sigma=2.0, ratio=1.0)
    torch.testing.assert_close(blurred, to_display(torch.from_numpy(expected)), atol=2e-3, rtol=0)


def test_only_a_stretched_one_is_turned(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 32, 32)
    for ratio, same in ((1.0, True), (2.0, False)):
        first, second = (GaussianBlur().apply(clean, seeded(seed), sigma=1.5, ratio=ratio) for seed in (1, 2))
        assert torch.equal(first, second) == same
