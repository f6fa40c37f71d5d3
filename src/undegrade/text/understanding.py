"""A sentence becomes what to repair and what to leave alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undegrade.errors import UndegradeError
from undegrade.text.head import KINDS, Head
from undegrade.text.sentences import BARE, EVERYTHING, MANNERS, REPAIR, SPARE

LONGEST = 1000  # characters
# What parts clauses, and whether a clause without a verb behind it means the opposite of the one before it.
SPLIT = re.compile(
    r"\s*[,;:.!?\n]+\s*|\s+(?:and|or|but|yet|while|then|plus|et|mais|ou|und|aber|oder|y|pero)\s+"
    r"|\s+(?P<turn>but not|except for|except|apart from|other than|besides|save for|sauf|außer|excepto|tranne)\s+",
    re.IGNORECASE,
)
TURNING_BUT = re.compile(rf"\b({EVERYTHING}|all|anything)\s+but\s+", re.IGNORECASE)
REFERRING = re.compile(r"\b(it|that|this|them|these|those|es|das|sie|ça|lo|la)\b", re.IGNORECASE)
LEAST = 0.6  # probability of a kind


@dataclass(frozen=True, kw_only=True)
class Said:
    """What was asked for; `only` and `skip` are those of `undegrade restore`.

    Args:
        only: kinds to repair, alone; none where all are meant.
        skip: kinds to leave alone.
        nothing: all is to be left as it is.
    """

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    nothing: bool = False

    @property
    def sentence(self) -> str:
        """What was understood.

        >>> Said(only=("rain",), skip=("noise",)).sentence
        'repair rain; leave noise alone'
        """
        if self.nothing:
            return "leave everything as it is"
        repaired = f"repair {', '.join(self.only)}" if self.only else "repair whatever is wrong"
        return f"{repaired}; leave {', '.join(self.skip)} alone" if self.skip else repaired


def understand(sentence: str, head: Head, embed: Callable[[Sequence[str]], NDArray[np.float32]]) -> Said:
    """What a sentence asks for, clause by clause.

    A clause without a verb goes with the one before it ("remove the rain and the haze"), or against it ("everything
    except the grain"); one that points back decides about what was named ("the grain is nice, leave it").

    Args:
        sentence: in English; other languages as far as the encoder goes.
        head: reads clauses.
        embed: sentences to numbers, as `undegrade.text.encoder.embed`.

    Raises:
        UndegradeError: no instruction is in it, or it asks for and against the same thing.
    """
    parts = split(sentence[:LONGEST])
    read = head(embed([text for text, _ in parts])) if parts else None
    manner, found = REPAIR, {REPAIR: dict[str, None](), SPARE: dict[str, None]()}
    named: list[str] = []  # by the clause before
    for place, (text, turned) in enumerate(parts):
        assert read is not None
        own = MANNERS[int(read.manners[place].argmax())]
        kinds = [kind for kind, share in zip(KINDS, read.kinds[place], strict=True) if share >= LEAST]
        if not kinds:
            continue
        if kinds == [EVERYTHING] and own != BARE and named and REFERRING.search(text):  # "it looks noisy, fix that"
            kinds = named
            for kind in named:
                found[manner].pop(kind, None)
        opposite = SPARE if manner == REPAIR else REPAIR
        manner = own if own != BARE else opposite if turned else manner
        found[manner].update(dict.fromkeys(kinds))
        named = [kind for kind in kinds if kind != EVERYTHING]
    if not found[REPAIR] and not found[SPARE]:
        raise UndegradeError(
            f'"{sentence}": no instruction in it; say what to repair or to leave alone, such as "remove the rain but '
            f'keep the grain" (known are {", ".join(KINDS[:-1])})'
        )
    return _said(sentence, tuple(found[REPAIR]), tuple(found[SPARE]))


def _said(sentence: str, repaired: tuple[str, ...], spared: tuple[str, ...]) -> Said:
    named = tuple(kind for kind in repaired if kind != EVERYTHING)
    left = tuple(kind for kind in spared if kind != EVERYTHING)
    if twice := [kind for kind in named if kind in left]:
        raise UndegradeError(f'"{sentence}": asks to repair {twice[0]} and to leave it alone; say one of both')
    if not repaired and EVERYTHING in spared:
        return Said(nothing=True)
    if EVERYTHING in repaired:
        return Said(skip=left)
    return Said(only=named, skip=left)


def split(sentence: str) -> list[tuple[str, bool]]:
    """The clauses, and of each whether it stands behind a word such as "except".

    >>> split("Remove rain and haze, but keep the grain")
    [('Remove rain', False), ('haze', False), ('but keep the grain', False)]
    >>> split("fix everything but the noise")
    [('fix everything', False), ('the noise', True)]
    """
    sentence = TURNING_BUT.sub(r"\1 except ", sentence)
    clauses, begin, turned = [], 0, False
    for match in SPLIT.finditer(sentence):
        clauses.append((sentence[begin : match.start()].strip(), turned))
        begin, turned = match.end(), bool(match["turn"])
    clauses.append((sentence[begin:].strip(), turned))
    return [(text, behind) for text, behind in clauses if re.search(r"\w", text)]
