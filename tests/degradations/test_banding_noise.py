import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.degradations.banding_noise import COLUMNS, FLICKER, BandingNoise, correlated_offsets
from undegrade.degradations.light import to_display, to_linear


def banded(seeded: Callable, seed: int, light: float, sigma: float, flicker: float) -> Tensor:
    """Linear light of a flat (3, 400, 400) picture, turned so that the stronger bands are rows."""
    flat = to_display(torch.full((3, 400, 400), light))
    found = to_linear(BandingNoise().apply(flat, seeded(seed), sigma=sigma, flicker=flicker)).double()
    rows, columns = found.mean(2).std(), found.mean(1).std()
    return found if rows > columns else found.transpose(1, 2)


def test_what_is_added_is_one_offset_a_row_and_one_a_column(seeded: Callable) -> None:
    for seed in range(3):
        found = banded(seeded, seed, 0.4, 0.01, 0)
        rows, columns = (found - found.mean((1, 2), keepdim=True)).mean(2), found.mean(1) - found.mean((1, 2))[:, None]
        rest = found - found.mean((1, 2), keepdim=True) - rows[..., None] - columns[:, None]
        assert rest.abs().max() < 1e-5
        assert columns.std().item() == pytest.approx(COLUMNS * 0.01, rel=3 / math.sqrt(2 * 400))
        assert rows.std() > 2 * columns.std()


def test_offsets_have_unit_variance_and_remember_the_row_before(seeded: Callable) -> None:
    memories = []
    for seed in range(5):
        offsets = correlated_offsets((4, 3, 4000), seeded(seed)).double()
        assert offsets.var().item() == pytest.approx(1, rel=0.1)
        memories.append((offsets[..., 1:] * offsets[..., :-1]).mean().item())
        between = torch.corrcoef(offsets.transpose(0, 1).reshape(3, -1))
        assert between[0, 1].item() == pytest.approx(0.7, abs=0.08)
    assert -0.05 < min(memories) < max(memories) < 0.85
    assert max(memories) - min(memories) > 0.1


def test_flicker_scales_the_light_by_a_sine_of_the_stated_amplitude(seeded: Callable) -> None:
    for light in (0.1, 0.4):
        wave = banded(seeded, 3, light, 1e-6, 0.2) / light - 1
        assert wave.std(2).max() < 1e-4
        amplitude = wave.amax((1, 2))
        assert amplitude.tolist() == pytest.approx([0.2 * share for share in FLICKER], rel=0.02)
        # A sine is known by its curvature: w[i-1] + w[i+1] = 2 * cos(2 * pi / T) * w[i].
        line = wave[1, :, 0]
        cosine = ((line[:-2] + line[2:]) * line[1:-1]).sum() / (2 * line[1:-1].square().sum())
        assert 24 <= 2 * math.pi / math.acos(cosine.item()) <= 400


def test_most_pictures_have_their_rows_along_the_width(seeded: Callable) -> None:
    flat = torch.full((3, 64, 64), 0.5)
    pictures = [BandingNoise().apply(flat, seeded(seed), sigma=0.01, flicker=0) for seed in range(40)]
    level = sum(bool(picture.mean(2).std() > picture.mean(1).std()) for picture in pictures)
    assert 20 <= level <= 38
