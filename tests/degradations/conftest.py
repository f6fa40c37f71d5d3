"""What the truths of the degradations are tried on."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture
def seeded() -> Callable[[int], torch.Generator]:
    """A generator of that seed."""
    return lambda seed: torch.Generator().manual_seed(seed)


@pytest.fixture
def grain() -> Callable[..., Tensor]:
    """Random pixels of that shape in [low, high]: no two alike, so that nothing can pass by chance."""

    def make(*shape: int, low: float = 0.0, high: float = 1.0, seed: int = 0) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=torch.Generator().manual_seed(seed))

    return make


@pytest.fixture
def moments() -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Centre (y, x) and covariance (2, 2) of a kernel seen as a distribution, in pixels from its middle."""

    def measure(kernel: Tensor) -> tuple[Tensor, Tensor]:
        kernel = kernel.double()
        y, x = (torch.arange(n, dtype=torch.float64) - n // 2 for n in kernel.shape)
        place = torch.stack(torch.meshgrid(y, x, indexing="ij"))
        mean = (place * kernel).sum((1, 2))
        apart = place - mean[:, None, None]
        return mean, torch.einsum("ihw,jhw,hw->ij", apart, apart, kernel)

    return measure
