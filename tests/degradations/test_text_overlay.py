from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.lettering import CHARACTERS
from undegrade.degradations.text_overlay import TextOverlay, random_text

GREYS = torch.tensor([0.3, 0.7])[:, None, None, None]


def test_letters_cover_a_part_of_the_picture_and_the_rest_is_untouched(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 128, 160, low=0.2, high=0.8)
    for seed in range(8):
        out = TextOverlay().apply(clean, seeded(seed), lines=2.0, height=14.0)
        assert 0.005 < (out != clean).any(0).float().mean() < 0.4


def test_only_one_colour_and_that_of_its_outline_are_drawn(seeded: Callable) -> None:
    for seed in range(8):
        drawn = [TextOverlay().apply(flat.expand(3, 96, 96), seeded(seed), lines=2.0, height=20.0) for flat in GREYS]
        # Nothing of the picture shows through more than the opacity, 0.8 at least, lets it.
        hidden = (drawn[1] - drawn[0]).amax(0) < 0.05 + 0.2 * (GREYS[1] - GREYS[0]).item()
        colours = (drawn[0][:, hidden] * 4).round().unique(dim=1)
        assert hidden.any()
        assert colours.shape[1] <= 8  # two, and their mixtures along the edges


def test_no_lines_change_nothing(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 40, 40)
    out = TextOverlay().apply(clean, seeded(0), lines=0.0, height=14.0)
    assert torch.equal(out, clean)
    assert out.data_ptr() != clean.data_ptr()


def test_the_mask_does_not_depend_on_the_picture(grain: Callable, seeded: Callable) -> None:
    pictures = torch.stack((grain(3, 96, 96, high=0.4), grain(3, 96, 96, low=0.6, seed=1)))
    out = TextOverlay().apply(pictures, seeded(4), lines=3.0, height=12.0)
    # y = x * (1 - m) + c, so the difference of two pictures is that of the clean ones times 1 - m of one mask.
    kept = (out[1] - out[0]) / (pictures[1] - pictures[0])
    torch.testing.assert_close(kept[0], kept[1], atol=1e-4, rtol=0)
    torch.testing.assert_close(kept[1], kept[2], atol=1e-4, rtol=0)
    assert kept.min() < 0.25
    assert kept.max().item() == pytest.approx(1, abs=1e-4)


def test_lines_are_made_of_letters_that_there_are_and_fill_the_room(seeded: Callable) -> None:
    rng = seeded(0)
    texts = [random_text(20.0, rng) for _ in range(200)]
    assert set("".join(texts)) <= set(CHARACTERS)
    assert len(set(texts)) == 200
    assert all(15 <= len(text) <= 60 for text in texts)
    assert any(text.isupper() for text in texts)
    assert any(text.islower() for text in texts)


def test_several_sizes_and_turns_outlines_and_none(seeded: Callable) -> None:
    """On gray, an outline or a shadow shows as both brighter and darker pixels than the gray."""
    gray = torch.full((3, 128, 128), 0.5)
    kinds = set()
    for seed in range(30):
        out = TextOverlay().apply(gray, seeded(seed), lines=3.0, height=24.0).mean(0)
        kinds.add((bool((out > 0.6).any()), bool((out < 0.4).any())))
    assert kinds >= {(True, True), (True, False), (False, True)}
