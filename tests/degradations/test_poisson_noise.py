import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.light import to_display, to_linear
from undegrade.degradations.poisson_noise import PoissonNoise


@pytest.mark.parametrize("peak", [20.0, 300.0])
@pytest.mark.parametrize("light", [0.1, 0.4])
def test_mean_and_variance_of_the_light_are_those_of_counted_photons(
    light: float, peak: float, seeded: Callable
) -> None:
    flat = to_display(torch.full((3, 128, 128), light))
    noisy = to_linear(PoissonNoise().apply(flat, seeded(0), peak=peak)).double()
    variance, count = light / peak, flat.numel()
    assert abs(noisy.mean().item() - light) < 3 * math.sqrt(variance / count) + 1e-6
    # The fourth moment of Poisson counts is 3 v^2 + v, so the variance is known to sqrt((2 v^2 + v) / n).
    counts = light * peak
    assert noisy.var().item() * peak**2 == pytest.approx(counts, abs=3 * math.sqrt((2 * counts**2 + counts) / count))


def test_the_light_comes_in_whole_photons_and_black_in_none(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 32, 32)
    clean[:, :16] = 0
    photons = to_linear(PoissonNoise().apply(clean, seeded(1), peak=40.0)) * 40
    torch.testing.assert_close(photons, photons.round(), atol=1e-3, rtol=0)
    assert (photons[:, :16] == 0).all()
    assert len(photons.round().unique()) > 20


def test_channels_are_counted_each_for_itself(seeded: Callable) -> None:
    noisy = PoissonNoise().apply(torch.full((3, 96, 96), 0.5), seeded(2), peak=100.0)
    together = torch.corrcoef(noisy.reshape(3, -1))
    assert (together - torch.eye(3)).abs().max() < 4 / 96
