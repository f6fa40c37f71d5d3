import string
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.lettering import (
    BASELINE,
    CAP,
    CHARACTERS,
    FACES,
    ROWS,
    SPREAD,
    inked,
    look_up,
    random_face,
    random_figures,
    random_word,
    turned,
    typeset,
)


def show(text: str, face: str, dot: float, turn: float = 0.0, grow: float = 0.0, side: int = 240) -> torch.Tensor:
    """Coverage (side, side) of the text in the middle of a picture."""
    line = typeset(text, face)
    down, along = turned(side, side, (side / 2, side / 2), turn, dot)
    return inked(look_up(line, down + ROWS / 2, along + line.shape[1] / 2), dot, grow=grow)


@pytest.mark.parametrize("face", FACES)
def test_every_letter_and_figure_has_a_shape_of_its_own(face: str) -> None:
    shapes = {}
    for character in CHARACTERS:
        field = typeset(character, face)
        assert field.shape[0] == ROWS
        assert 0 <= field.min() <= field.max() <= 2 * SPREAD
        assert (field.max() > SPREAD) == (character != " ")
        # Nothing is cut off: the outline keeps clear of the border.
        border = torch.cat((field[0], field[-1], field[:, 0], field[:, -1]))
        assert border.max() < SPREAD - 0.5
        shapes[character] = field.numpy().tobytes()
    assert set(string.ascii_letters + string.digits) <= set(shapes)
    assert len(set(shapes.values())) == len(CHARACTERS)


@pytest.mark.parametrize("face", FACES)
def test_capitals_stand_on_the_line_and_are_as_high_as_stated(face: str) -> None:
    inside = (typeset("H", face) > SPREAD).any(1).nonzero().flatten()
    assert abs(inside.min().item() - (BASELINE - CAP)) <= 1
    assert abs(inside.max().item() - (BASELINE - 1)) <= 1
    assert (typeset("gp", face)[BASELINE + 2 :] > SPREAD).any()  # these go below it


def test_a_line_is_its_letters_one_after_the_other() -> None:
    together, apart = typeset("nn", "sans"), typeset("n", "sans")
    advance = together.shape[1] - apart.shape[1]
    assert 12 < advance < 18
    middle = apart.shape[1] // 2
    torch.testing.assert_close(together[:, :middle], apart[:, :middle])
    torch.testing.assert_close(together[:, advance + middle :], apart[:, middle:])


def test_letters_twice_as_high_cover_four_times_the_area_at_any_turn() -> None:
    area = show("R2", "bold", 2.0).sum().item()
    assert show("R2", "bold", 4.0).sum().item() == pytest.approx(4 * area, rel=0.02)
    assert show("R2", "bold", 2.0, turn=0.7).sum().item() == pytest.approx(area, rel=0.01)


def test_grown_letters_reach_that_many_pixels_further_and_empty_stays_empty() -> None:
    # A bar of about 20 x 2.5 samples at 3 pixels each: its circumference times the growth.
    thin, fat = (show("l", "sans", 3.0, grow=grow) for grow in (0.0, 2.0))
    around = 2 * (thin.sum(0).max() + thin.sum(1).max())
    assert (fat.sum() - thin.sum()).item() == pytest.approx(2 * around.item(), rel=0.15)
    assert (fat >= thin).all()
    for grow in (0.0, 1.0, 100.0):
        assert show(" ", "sans", 0.4, grow=grow).max() == 0


def test_words_have_the_lengths_asked_for(seeded: Callable) -> None:
    rng = seeded(0)
    words = [random_word(rng, 2) for _ in range(100)]
    assert all(4 <= len(word) <= 12 and word.isalpha() and word.islower() for word in words)
    assert len(set(words)) > 90
    assert len(random_figures(rng, 7)) == 7
    assert random_figures(rng, 7).isdigit()
    assert {random_face(rng) for _ in range(60)} == set(FACES)
