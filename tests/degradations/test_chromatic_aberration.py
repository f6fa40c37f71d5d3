from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.degradations.chromatic_aberration import ChromaticAberration, displace
from undegrade.degradations.light import to_display, to_linear

HEIGHT, WIDTH = 60, 80


def displacement(seed: int, shift: float) -> tuple[Tensor, Tensor]:
    """Of red and blue, found from two slopes in linear light: (2 colours, 2, 3) planes x, y, 1 -> pixels in x and y."""
    y, x = torch.meshgrid(torch.arange(HEIGHT) / 100, torch.arange(WIDTH) / 100, indexing="ij")
    inside = (slice(8, -8), slice(8, -8))
    design = torch.stack((x[inside] * 100, y[inside] * 100, torch.ones_like(x[inside])), -1).reshape(-1, 3).double()
    planes = []
    for slope in (x, y):
        clean = to_display(slope).expand(3, HEIGHT, WIDTH)
        rng = torch.Generator().manual_seed(seed)
        moved = to_linear(ChromaticAberration().apply(clean, rng, shift=shift, blur=0.3).double())
        offset = ((moved - slope) * 100)[[0, 2]][:, *inside].reshape(2, -1)
        planes.append(torch.linalg.lstsq(design, offset.T).solution.T)
    found = torch.stack(planes, 1)
    corners = torch.tensor([[u, v, 1.0] for u in (0, WIDTH - 1) for v in (0, HEIGHT - 1)]).double()
    return found, torch.einsum("cij,kj->cki", found, corners).norm(dim=-1).amax(1)


@pytest.mark.parametrize("seed", range(4))
def test_red_and_blue_are_magnified_opposite_ways_about_one_centre(seed: int) -> None:
    found, at_corner = displacement(seed, 3.0)
    for colour in found:
        assert colour[0, 0].item() == pytest.approx(colour[1, 1].item(), abs=0.003)  # as much in x as in y
        assert colour[:, :2].fliplr().diagonal().abs().max() < 0.02 * colour[0, 0].abs()  # no turn
        centre = -colour[:, 2] / torch.stack((colour[0, 0], colour[1, 1]))
        assert 0.38 * WIDTH < centre[0] < 0.62 * WIDTH
        assert 0.38 * HEIGHT < centre[1] < 0.62 * HEIGHT
    assert found[0, 0, 0] * found[1, 0, 0] < 0
    stronger, weaker = at_corner.max().item(), at_corner.min().item()
    assert stronger == pytest.approx(3, abs=0.25)  # bicubic reading is not quite exact on slopes
    assert 0.35 * 3 < weaker < 1.05 * 3


def test_green_is_untouched(grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 30, 41)
    fringed = ChromaticAberration().apply(clean, seeded(0), shift=3.0, blur=0.5)
    assert torch.equal(fringed[:, 1], clean[:, 1])
    assert (fringed[:, [0, 2]] - clean[:, [0, 2]]).abs().mean() > 0.01


def test_gray_gets_coloured_fringes_only_at_edges(seeded: Callable) -> None:
    square = torch.full((3, 60, 60), 0.2)
    square[:, 10:50, 10:50] = 0.8
    saturation = (lambda x: x.amax(0) - x.amin(0))(ChromaticAberration().apply(square, seeded(0), shift=2.0, blur=0.3))
    assert saturation[8:12, 8:12].max() > 0.1
    assert saturation[20:40, 20:40].max() < 1e-3


def test_a_whole_displacement_is_exact(grain: Callable) -> None:
    layer = grain(2, 12, 14)
    moved = displace(layer, torch.tensor([3.0, -2.0]).expand(12, 14, 2))
    torch.testing.assert_close(moved[:, 2:, :-3], layer[:, :-2, 3:], atol=1e-5, rtol=0)
