"""Who decides what is done to a picture, where there is no calibration: the model's own classifier."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from undegrade.batch import CLEAN
from undegrade.diagnosis.diagnosis import LIKELY, PHRASES, Diagnosis, name, name_all
from undegrade.diagnosis.head import Numbers, sigmoid, softmax
from undegrade.errors import UndegradeError


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the user wants to be repaired.

    Args:
        only: these kinds alone; none: all.
        skip: all but these.
        force: wholly and unchecked, however doubtful it is: all of `only`, in that order, or what is likeliest.
    """

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    force: bool = False

    def wanted(self, kind: str) -> bool:
        """Whether a kind may be repaired."""
        return kind not in self.skip and (not self.only or kind in self.only)

    def forced(self, ranked: Iterable[str], done: tuple[str, ...]) -> tuple[str, ...]:
        """What is to be repaired next, unchecked; nothing, and that is all.

        >>> Wish(only=("rain", "noise"), force=True).forced(["haze", "noise", "rain"], done=("rain",))
        ('noise',)

        Args:
            ranked: kinds, the likeliest first.
            done: what was repaired already.
        """
        chosen = self.only or next(((kind,) for kind in ranked if self.wanted(kind)), ())
        named = [kind for kind in chosen if kind not in done]
        return tuple(named[:1])

    def of(self, kinds: tuple[str, ...]) -> Wish:
        """The same of a model that knows these kinds, by its own names for them (`CALLED`).

        >>> Wish(skip=("scratches",)).of(("noise", "inpainting")).skip
        ('inpainting',)

        Raises:
            UndegradeError: the model does not know a kind; names the option, the kind, and those that are known.
        """
        only, skip = (tuple(_named(kind, kinds) for kind in chosen) for chosen in (self.only, self.skip))
        wish = replace(self, only=only, skip=skip)
        wish._check(kinds)
        return wish

    def _check(self, kinds: tuple[str, ...]) -> None:
        if both := [kind for kind in self.only if kind in self.skip]:
            raise UndegradeError(f"only and skip: both name {both[0]}; name it in one of them")
        for option, chosen in (("only", self.only), ("skip", self.skip)):
            if chosen and not kinds:
                raise UndegradeError(f"{option}: the model names no kinds and repairs all it is given; ask for none")
            for kind in chosen:
                if kind not in kinds:
                    raise UndegradeError(
                        f"{option}: {kind!r} is not known{_meant(kind, kinds)}; the model repairs "
                        f"{', '.join(map(called, kinds))}"
                    )


def listed(kinds: str | Sequence[str]) -> tuple[str, ...]:
    """Kinds as they are given: as text with commas, or several of these.

    >>> listed(["rain, haze,", "snow"])
    ('rain', 'haze', 'snow')
    """
    given = [kinds] if isinstance(kinds, str) else kinds
    return tuple(kind.strip() for some in given for kind in some.split(",") if kind.strip())


def called(kind: str) -> str:
    """A kind by the name that users know.

    >>> called("inpainting"), called("low_light")
    ('scratches', 'low_light')
    """
    return next((name for name, own in CALLED.items() if own == kind), kind)


def _meant(word: str, kinds: tuple[str, ...]) -> str:
    """A question for the kind that is spelt alike, or of which the word is said; nothing where there is none.

    >>> _meant("lines", ("noise", "inpainting"))
    ' (did you mean scratches?)'
    """
    alike = [_named(near, kinds) for near in difflib.get_close_matches(word, [*kinds, *CALLED], 1)]
    words = {kind: PHRASES.get(kind, "").lower().split() for kind in kinds if len(word) >= LEAST_WORD}
    said = [kind for kind, of in words.items() if word.lower() in of]
    meant = [kind for kind in (alike or said) if kind in kinds]
    return "".join(f" (did you mean {called(kind)}?)" for kind in meant[:1])


def _named(kind: str, kinds: tuple[str, ...]) -> str:
    """The model's own name of a kind that is called otherwise, too."""
    return CALLED[kind] if kind not in kinds and CALLED.get(kind) in kinds else kind


def unwanted(finding: Diagnosis, wish: Wish) -> tuple[str, ...]:
    """Of what is present what was not to be repaired, in words."""
    return tuple(
        f"{PHRASES.get(kind, kind)}: left alone, as asked" for kind in finding.present if not wish.wanted(kind)
    )


CALLED = {"scratches": "inpainting"}  # what is removed, not how
EVERYTHING = Wish()
LEAST_WORD = 4  # letters: shorter ones say nothing of a kind


@dataclass(frozen=True, kw_only=True)
class OwnJudge:
    """Goes by the model's own classifier, and repairs what is at least as probable as not; checks nothing.

    Args:
        multi_label: the model names several degradations of one picture, each with a sigmoid.
        wish: what is to be repaired.
    """

    multi_label: bool = False
    wish: Wish = EVERYTHING
    checks: bool = False
    measures: bool = False

    def name(self, contexts: Numbers, labels: tuple[str, ...], signs: Mapping[str, float]) -> Diagnosis:
        """The diagnosis from the mean of the logits, which are the contexts' last numbers; nothing is measured."""
        logits = contexts[:, -len(labels) :].mean(axis=0, dtype=np.float32)
        return name_all(sigmoid(logits), labels) if self.multi_label else name(softmax(logits), labels)

    def beyond(self, height: int, width: int) -> Diagnosis | None:
        """None: every picture is judged."""
        return None

    def shares(self, contexts: Numbers, labels: tuple[str, ...]) -> tuple[tuple[str, ...], Numbers]:
        """The kinds, and the probability of each in each part, (N, K)."""
        logits = contexts[:, -len(labels) :]
        odds = sigmoid(logits) if self.multi_label else softmax(logits)
        places = [place for place, label in enumerate(labels) if label != CLEAN]
        return tuple(labels[place] for place in places), odds[:, places]

    def candidates(self, finding: Diagnosis, done: tuple[str, ...]) -> tuple[str | None, ...]:
        """What the model holds for likeliest, as it is; or of what is wanted the likeliest."""
        if self.wish.force:
            return self.wish.forced((kind for kind in finding.probabilities if kind != CLEAN), done)
        if done or not finding.present or finding.probability < LIKELY:
            return ()
        if all(map(self.wish.wanted, finding.present)):
            return (None,)
        return tuple(kind for kind in finding.present if self.wish.wanted(kind))[:1]

    def in_turn(self, finding: Diagnosis, done: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """Nothing: no two repairs are weighed together."""
        return ()

    def likely(self, finding: Diagnosis) -> tuple[str, ...]:
        """What is present and wanted."""
        return tuple(kind for kind in finding.present if self.wish.wanted(kind))

    def doubts(self, finding: Diagnosis, last: Diagnosis, done: tuple[str, ...]) -> tuple[str, ...]:
        """What is present and not wanted."""
        return unwanted(finding, self.wish)

    def weigh(self, trial: Any) -> Any:
        """Never asked, as nothing is checked."""
        raise TypeError("OwnJudge checks nothing")
