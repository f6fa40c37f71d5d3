import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.light import to_display, to_linear
from undegrade.degradations.low_light import LowLight


@pytest.mark.parametrize("stops", [0.0, 1.0, 2.0, 3.5])
def test_each_stop_halves_the_linear_light(stops: float, grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 128, 128, low=0.3)
    dark = LowLight().apply(clean, seeded(0), stops=stops, shot=1e-6)
    share = to_linear(dark).mean().item() / to_linear(clean).mean().item()
    assert share == pytest.approx(2**-stops, rel=0.01)


@pytest.mark.parametrize("shot", [5e-4, 2e-3])
@pytest.mark.parametrize("light", [0.1, 0.3])
def test_the_noise_has_the_variance_of_photons_and_amplifier(light: float, shot: float, seeded: Callable) -> None:
    flat = to_display(torch.full((3, 128, 128), 2 * light))
    noisy = to_linear(LowLight().apply(flat, seeded(1), stops=1.0, shot=shot)).double()
    read = math.exp(2.18 * math.log(shot) + 1.2)
    # The last step to 8 bits adds a twelfth of a squared level, which is about 1 / 255 of linear light here.
    variance = shot * light + read + (1.0 / 255) ** 2 / 12
    assert noisy.var().item() == pytest.approx(variance, rel=3 * math.sqrt(2 / flat.numel()) + 0.01)
    assert abs(noisy.mean().item() - light) < 3 * math.sqrt(variance / flat.numel()) + 1e-4


def test_the_result_is_on_8_bit_levels(grain: Callable, seeded: Callable) -> None:
    levels = LowLight().apply(grain(3, 32, 32), seeded(0), stops=3.0, shot=1e-3) * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert len(levels.unique()) < 140


def test_the_photon_noise_is_drawn_evenly_over_its_logarithm(seeded: Callable) -> None:
    rng, degradation = seeded(0), LowLight()
    shots = [degradation.sample(rng)["shot"] for _ in range(300)]
    low, high = degradation.shot
    below = sum(shot < math.sqrt(low * high) for shot in shots)
    assert 110 <= below <= 190
