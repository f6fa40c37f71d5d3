from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.quantisation import Quantisation


@pytest.mark.parametrize("levels", [2, 4, 15, 256])
def test_there_are_as_many_even_levels_and_the_nearest_is_taken(levels: int, grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 64, 64)
    coarse = Quantisation().apply(clean, seeded(0), levels=float(levels))
    torch.testing.assert_close(coarse.unique(), torch.linspace(0, 1, levels), atol=1e-6, rtol=0)
    assert (coarse - clean).abs().max() <= 0.5 / (levels - 1) + 1e-6
    assert torch.equal(Quantisation().apply(coarse, seeded(1), levels=float(levels)), coarse)


def test_the_error_has_a_twelfth_of_a_squared_step_for_variance(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 128, 128)
    error = (Quantisation().apply(clean, seeded(0), levels=21.0) - clean).double()
    # The squared error of a uniform one spreads by 2 / sqrt(5) of its mean.
    tolerance = 3 * 2 / 5**0.5 / error.numel() ** 0.5
    assert error.square().mean().item() == pytest.approx(0.05**2 / 12, rel=tolerance)


def test_8_bit_pictures_pass_256_levels(seeded: Callable) -> None:
    clean = (torch.arange(768) % 256 / 255).reshape(3, 16, 16)
    assert torch.equal(Quantisation().apply(clean, seeded(0), levels=256.0), clean)
