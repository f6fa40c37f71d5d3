from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.plateau_blur import PlateauBlur, plateau


@pytest.mark.parametrize("shape", [1.0, 2.0, 4.0])
def test_the_kernel_is_half_its_peak_at_one_sigma_and_a_power_law_beyond(shape: float) -> None:
    kernel = plateau(4.0, ratio=2, shape=shape, turn=0)
    down, right = (n // 2 for n in kernel.shape)
    peak = kernel[down, right]
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
    assert (kernel[down + 4, right] / peak).item() == pytest.approx(0.5, rel=1e-4)
    assert (kernel[down, right + 8] / peak).item() == pytest.approx(0.5, rel=1e-4)
    assert (kernel[down + 6, right] / peak).item() == pytest.approx(1 / (1 + 1.5 ** (2 * shape)), rel=1e-4)


def test_the_top_is_flatter_with_a_higher_shape() -> None:
    inner = [plateau(4.0, ratio=1, shape=shape, turn=0) for shape in (1.0, 2.0, 4.0)]
    falls = [(1 - k[k.shape[0] // 2, k.shape[1] // 2 + 2] / k.max()).item() for k in inner]
    assert falls == pytest.approx([1 / 5, 1 / 17, 1 / 257], rel=1e-2)  # 1 - 1 / (1 + 0.25^b)


def test_nothing_flat_is_changed(seeded: Callable) -> None:
    flat = torch.full((3, 20, 24), 0.62)
    blurred = PlateauBlur().apply(flat, seeded(0), sigma=2.0, ratio=2.0, shape=1.0)
    torch.testing.assert_close(blurred, flat, atol=1e-5, rtol=0)
