import string
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.lettering import COLUMNS, LETTERS, ROWS, dots, inked, look_up, random_word, turned


def test_every_capital_and_figure_has_a_shape_of_its_own() -> None:
    assert sorted(LETTERS) == sorted(string.ascii_uppercase + string.digits)
    assert len(set(LETTERS.values())) == 36
    for rows in LETTERS.values():
        assert len(rows) == ROWS
        assert all(0 <= row < 2**COLUMNS for row in rows)
        assert rows[0]
        assert rows[-1]  # all are as high as the others


def test_letters_stand_as_they_are_drawn() -> None:
    shown = ["".join(".#"[int(dot)] for dot in row) for row in dots("L F")]
    assert shown[0] == "#...........#####"
    assert shown[3] == "#...........####."
    assert shown[6] == "#####.......#...."


@pytest.mark.parametrize("letter", list(LETTERS))
def test_the_smooth_letter_covers_its_own_dots_and_no_others(letter: str) -> None:
    bitmap = torch.nn.functional.pad(dots(letter), (1, 1, 1, 1))
    middles = (torch.arange(n) + 0.5 for n in bitmap.shape)
    down, along = torch.meshgrid(*middles, indexing="ij")
    assert torch.equal(look_up(bitmap, down, along) > 0.45, bitmap.bool())


def test_letters_twice_as_high_cover_four_times_the_area_at_any_turn() -> None:
    bitmap = torch.nn.functional.pad(dots("R2"), (2, 2, 2, 2))

    def area(dot: float, turn: float) -> float:
        down, along = turned(150, 150, (75.0, 75.0), turn, dot)
        return inked(look_up(bitmap, down + 5.5, along + 7.5), dot).sum().item()

    assert area(8.0, 0.0) == pytest.approx(4 * area(4.0, 0.0), rel=0.02)
    assert area(6.0, 0.7) == pytest.approx(area(6.0, 0.0), rel=0.01)


def test_words_have_the_lengths_asked_for(seeded: Callable) -> None:
    rng = seeded(0)
    assert {len(random_word(rng, 2, 4)) for _ in range(60)} == {2, 3, 4}
