from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.stains import Stains, draw_dye


def test_the_dye_multiplies_and_so_the_clean_picture_can_be_computed_back(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 90, 110)
    for seed in range(4):
        seen_on_white = Stains().apply(torch.ones(3, 90, 110), seeded(seed), share=0.3, density=1.2)
        out = Stains().apply(clean, seeded(seed), share=0.3, density=1.2)
        torch.testing.assert_close(out / seen_on_white, clean, atol=1e-5, rtol=0)


def test_stains_are_brown_and_twice_the_density_is_the_square(seeded: Callable) -> None:
    white = torch.ones(3, 128, 128)
    once, twice = (Stains().apply(white, seeded(3), share=0.4, density=d) for d in (0.7, 1.4))
    torch.testing.assert_close(once**2, twice)
    stained = once[2] < 0.999
    assert stained.any()
    assert (once[0] >= once[1]).all()
    assert (once[1] >= once[2]).all()
    assert (once[:, ~stained] > 0.999).all()


def test_the_area_is_about_the_share_asked_for(seeded: Callable) -> None:
    areas = {
        share: sum((draw_dye(128, 128, share, seeded(s)) > 0.1).float().mean().item() for s in range(30)) / 30
        for share in (0.1, 0.3)
    }
    # Stains reach beyond the picture, overlap, and have irregular outlines.
    assert 0.04 < areas[0.1] < 0.13
    assert 0.12 < areas[0.3] < 0.36


def test_the_rim_is_darker_than_the_middle(seeded: Callable) -> None:
    dye = draw_dye(200, 200, 0.3, seeded(1))
    assert dye.max().item() > 0.6
    assert dye[dye > 0.05].median().item() == pytest.approx(0.35, abs=0.2)
