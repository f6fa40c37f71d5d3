import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.film_grain import COLOUR, FilmGrain, correlated_noise


@pytest.mark.parametrize("tone", [0.1, 0.5, 0.8])
def test_the_variance_goes_as_what_is_covered_times_what_is_not(tone: float, seeded: Callable) -> None:
    flat = torch.full((3, 256, 256), tone)
    noise = (FilmGrain().apply(flat, seeded(0), sigma=6.0, size=1.0) - flat).double()
    expected = (6 / 255) ** 2 * 4 * tone * (1 - tone)
    # Neighbours are alike, and the layers too: about pi / 2 pixels, times three, count as one sample.
    samples = 256 * 256 / (math.pi / 2)
    assert noise.var().item() == pytest.approx(expected, rel=3 * math.sqrt(2 / samples))


def test_black_and_white_have_no_grain(seeded: Callable) -> None:
    ends = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 32, 32)
    assert torch.equal(FilmGrain().apply(ends, seeded(0), sigma=30.0, size=2.0), ends)


@pytest.mark.parametrize(("size", "apart"), [(1.5, 1), (2.0, 2), (2.5, 1)])
def test_the_correlation_falls_as_stated(size: float, apart: int, seeded: Callable) -> None:
    noise = correlated_noise((1, 4, 256, 256), seeded(1), size).double()
    for one, other in ((noise[..., apart:], noise[..., :-apart]), (noise[..., apart:, :], noise[..., :-apart, :])):
        assert (one * other).mean().item() == pytest.approx(math.exp(-((apart / size) ** 2)), abs=0.03)
    assert noise[..., 0, :].var().item() == pytest.approx(1, abs=0.15)  # at the border as elsewhere


def test_the_layers_share_most_of_the_grain(seeded: Callable) -> None:
    flat = torch.full((3, 192, 192), 0.5)
    noise = FilmGrain().apply(flat, seeded(2), sigma=10.0, size=1.0) - flat
    alike = torch.corrcoef(noise.flatten(1))[0, 1].item()
    assert alike == pytest.approx(1 / (1 + COLOUR**2), abs=0.01)
