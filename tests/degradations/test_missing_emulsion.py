from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.missing_emulsion import MissingEmulsion


@pytest.mark.parametrize("share", [0.03, 0.1, 0.3])
def test_the_share_asked_for_is_gone_and_the_rest_untouched(share: float, grain: Callable, seeded: Callable) -> None:
    pictures = torch.stack((grain(3, 128, 128, high=0.4), grain(3, 128, 128, low=0.6, seed=1)))
    for seed in range(3):
        out = MissingEmulsion().apply(pictures, seeded(seed), share=share)
        # Nothing of the difference of two pictures is left where their layer is.
        kept = ((out[1] - out[0]) / (pictures[1] - pictures[0])).mean(0)
        assert (1 - kept).mean().item() == pytest.approx(share, abs=0.1 * share + 0.002)
        assert ((out == pictures).all(0).all(0)).float().mean() > 1 - 2.2 * share


def test_the_paper_is_light_and_never_bluish_nor_pink(seeded: Callable) -> None:
    black = torch.zeros(3, 128, 128)
    for seed in range(6):
        out = MissingEmulsion().apply(black, seeded(seed), share=0.2)
        bare = out[:, out[0] > 0.5]
        assert bare.shape[1] > 0.1 * 128 * 128
        assert (bare[0] >= bare[1]).all()
        assert (bare[1] >= bare[2]).all()
        assert bare.mean() > 0.6


def test_patches_are_large_not_speckle(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 160, 160, high=0.3)
    gone = (MissingEmulsion().apply(clean, seeded(0), share=0.2) != clean).any(0)
    edges = (gone[:, 1:] != gone[:, :-1]).float().mean()
    assert edges < 0.25 * gone.float().mean()  # speckle of single pixels would have about 1.6


def test_no_share_changes_nothing(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 40, 40)
    assert torch.equal(MissingEmulsion().apply(clean, seeded(0), share=0.0), clean)
