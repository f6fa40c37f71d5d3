from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.light import to_linear
from undegrade.degradations.vignetting import Vignetting


@pytest.mark.parametrize("stops", [0.5, 1.5, 3.0])
def test_the_furthest_corner_loses_the_stated_stops_by_the_cos_4_law(stops: float, seeded: Callable) -> None:
    flat = torch.full((3, 40, 60), 0.8)
    for seed in range(3):
        dark = to_linear(Vignetting().apply(flat, seeded(seed), stops=stops).double())
        gain = dark[1] / to_linear(torch.tensor(0.8))
        assert gain.min().item() == pytest.approx(2**-stops, rel=1e-4)
        assert gain.min() in gain[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert gain.max().item() == pytest.approx(1, abs=3e-3)
        # 1 / cos^2 = 1 + tan^2 is a paraboloid about the centre.
        tangent = gain**-0.5 - 1
        y, x = torch.meshgrid(torch.arange(40.0), torch.arange(60.0), indexing="ij")
        design = torch.stack((torch.ones_like(x), x, y, x**2 + y**2), -1).reshape(-1, 4).double()
        fit = torch.linalg.lstsq(design, tangent.reshape(-1, 1)).solution
        assert (design @ fit - tangent.reshape(-1, 1)).abs().max() < 1e-4
        centre_x, centre_y = (-fit[1:3, 0] / (2 * fit[3, 0])).tolist()
        assert 0.39 * 59 < centre_x < 0.61 * 59
        assert 0.39 * 39 < centre_y < 0.61 * 39


def test_all_colours_fade_alike(grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 20, 30, low=0.2)
    gain = to_linear(Vignetting().apply(clean, seeded(0), stops=2.0)) / to_linear(clean)
    torch.testing.assert_close(gain, gain[:1, :1].expand_as(gain), atol=1e-4, rtol=0)
