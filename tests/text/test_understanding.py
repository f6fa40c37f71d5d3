"""What is read off sentences: by rules alone with a stand-in for the head, and by the real one."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.text.head import KINDS, Head, fit_head, read_head, save_head, targets
from undegrade.text.instruction import read_instruction
from undegrade.text.sentences import EVERYTHING, MANNERS, NOUNS, REPAIR, SPARE, Clause, clauses, instructions
from undegrade.text.understanding import Said, split, understand

BY_HAND = Path(__file__).parents[2] / "benchmarks" / "say_sentences.json"


def test_the_templates_have_many_clauses_of_each_manner_and_kind() -> None:
    made = list(clauses())
    assert len(made) > 1000
    for manner in MANNERS:
        for kinds in NOUNS:
            assert sum(one.manner == manner and one.kinds == kinds for one in made) >= 20
    assert sum(one.manner is None for one in made) > 100


def test_instructions_ask_for_one_kind_and_differ() -> None:
    for label in ("clean", "noise", "haze", "inpainting"):
        assert len(set(instructions(label, 16))) == 16
    with pytest.raises(ValueError, match=r"no sentences for moire; there are for clean, noise, jpeg"):
        instructions("moire", 2)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("a and b", ["a", "b"]),
        ("Do this; then that!", ["Do this", "then that"]),
        ("", []),
        ("... ,", []),
    ],
)
def test_sentences_are_split_into_clauses(sentence: str, expected: list[str]) -> None:
    assert [text for text, _ in split(sentence)] == expected


def test_what_is_asked_for_and_against_is_refused() -> None:
    with pytest.raises(UndegradeError, match="asks to repair noise and to leave it alone"):
        read_instruction("remove the noise and do not remove the noise")


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("remove the rain but keep the grain", Said(only=("rain",), skip=("noise",))),
        ("don't touch the noise", Said(skip=("noise",))),
        ("fix everything except the grain", Said(skip=("noise",))),
        ("restore the photo", Said()),
        ("do nothing", Said(nothing=True)),
        ("remove the rain and the haze", Said(only=("rain", "haze"))),
        ("the grain is nice, leave it", Said(skip=("noise",))),
        ("sharpen it", Said(only=("motion_blur", "defocus_blur"))),
        ("entferne den Regen, aber behalte das Korn", Said(only=("rain",), skip=("noise",))),
    ],
)
def test_an_instruction_is_understood(sentence: str, said: Said) -> None:
    assert read_instruction(sentence).said == said


@pytest.mark.parametrize("sentence", ["", "   ", "a cat on a sofa", "good evening", "!?"])
def test_without_an_instruction_one_is_asked_for(sentence: str) -> None:
    with pytest.raises(UndegradeError, match="no instruction in it; say what to repair"):
        read_instruction(sentence)


def test_sentences_written_by_hand_are_understood_as_often_as_the_documents_say() -> None:
    right = []
    for row in json.loads(BY_HAND.read_text()):
        if row["set"] != "written afterwards" or row["language"] != "English":
            continue
        try:
            said = read_instruction(row["say"]).said
        except UndegradeError:
            right.append(row.get("refused", False))
            continue
        right.append(
            set(said.only) == set(row.get("only", ()))
            and set(said.skip) == set(row.get("skip", ()))
            and said.nothing == row.get("nothing", False)
        )
    assert len(right) >= 30
    assert sum(right) / len(right) >= 0.9


def test_a_head_learns_its_examples_and_is_stored(tmp_path: Path) -> None:
    examples = [
        Clause(text=f"{manner} {kind} {n}", manner=manner, kinds=(kind,))
        for manner in (REPAIR, SPARE)
        for kind in ("noise", "rain", EVERYTHING)
        for n in range(4)
    ]
    examples += [Clause(text=f"chatter {n}", manner=None, kinds=()) for n in range(4)]

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        words = {word: place for place, word in enumerate(("noise", "rain", EVERYTHING, REPAIR, SPARE, "chatter"))}
        rows = np.zeros((len(texts), 384), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                if word in words:
                    row[words[word]] = 0.7
        return rows

    head = fit_head(embed([one.text for one in examples]), examples, hidden=16, steps=150)
    read = head(embed([one.text for one in examples]))
    kinds, manners = targets(examples)
    assert ((read.kinds > 0.5) == (kinds > 0.5)).all()
    assert (read.manners.argmax(1) == manners)[manners >= 0].all()
    assert understand("spare rain", head, embed) == Said(skip=("rain",))
    save_head(head, tmp_path / "head.npz")
    assert (tmp_path / "head.npz").stat().st_size < 20_000
    assert read_head().weights[1].shape[0] == len(KINDS) + len(MANNERS)
    assert isinstance(read_head(), Head)
