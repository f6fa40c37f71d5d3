"""First, do no harm: what may be repaired, how far, and whether it has helped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from undegrade.batch import CLEAN
from undegrade.diagnosis.diagnosis import LIKELY, PHRASES, SURE, UNKNOWN, Diagnosis
from undegrade.diagnosis.evidence import change_of_colour, evidence, likeness, new_clipping
from undegrade.diagnosis.head import QUANTILES, Head, Numbers, sigmoid
from undegrade.diagnosis.judges import EVERYTHING, Wish, unwanted
from undegrade.diagnosis.severity import Severity, frechet_mean, severity_at
from undegrade.diagnosis.taught import Taught, find_taught

NOTHING_TAUGHT = Taught()
LEAST = 32  # pixels a side, of which anything can be said
AT_ONCE = 2  # kinds that are tried, of those that are there
# Kinds of which the first hides how bad the second is, so that its repair alone seems to do harm: they are tried one
# after the other, too.
IN_TURN = (("low_light", "haze"),)
# Strangeness from which on a picture shows something unknown, where no kind is likely; and by how much it grows with
# the probability of the likeliest kind beyond that.
STRANGE, DARING = 1.0, 1.5
CERTAIN = 0.0, 0.99
# Of what was measured, the probability that it must have without that, and that it then has at least: nothing else has
# JPEG's grid, but texture may measure like strong camera noise, and something else look a little like it; hardly
# anything does both (docs/experiments.md, "A camera's noise in its file").
SIGNS = {"jpeg": CERTAIN, "noise": (0.1, 0.75)}
USUAL_GAIN = 0.5  # dB, of what is repaired for certain, whatever else is foretold of it
# The gain, dB, that it is enough to expect, by what was measured: of what is there for certain nothing has to be
# promised; of a camera's noise where it is faint, but named, half a decibel told it from what was well
# (docs/experiments.md, 30 November 2026); of all else expecting is not enough.
ENOUGH = {"certain": -np.inf, "clear": 0.5, "": np.inf}
EXPECTED = QUANTILES.index(0.5)
TONAL = ("haze", "low_light")  # kinds whose repair has to change light and colour
COVERING = ("rain", "snow", "inpainting")  # kinds that lie over it, and may be most of what is seen of a flat one
WORSE = 0.05  # of a level, by which a kind may seem to have grown
CLIPPED, MUCH_CLIPPED = 0.02, 0.1  # share of the pixels that may newly be black or white; the latter of those kinds
COLOUR = 0.04  # how far the mean colour may move, of 1, where the kind is not a tonal one
ALIKE, TONAL_ALIKE = 0.9, 0.5  # correlation in the large that has to be kept; nothing is asked of covering kinds
PARTLY = {0.75: "three quarters", 0.5: "half"}
# What is said of a severity in its unit.
MEASURES = {
    "noise": "sigma about {:.0f}",
    "jpeg": "quality about {:.0f}",
    "motion_blur": "about {:.0f} pixels",
    "defocus_blur": "radius about {:.1f} pixels",
    "low_light": "about {:.1f} stops too dark",
}


class Tried(Protocol):
    """A repair tried on parts of a picture: `undegrade.inference.treatment.Trial`."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """What was repaired, first thing first."""

    @property
    def before(self) -> Numbers:
        """Contexts of the parts as they were."""

    @property
    def after(self) -> Numbers:
        """Contexts of the repaired parts."""

    @property
    def parts(self) -> tuple[Numbers, ...]:
        """As they were."""

    @property
    def repaired(self) -> tuple[Numbers, ...]:
        """Afterwards."""

    @property
    def assurance(self) -> str:
        """How much what was measured says for it, one of `ENOUGH`."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How far a repair may go.

    Args:
        strength: one of the head's, or 0.
        gain: dB of PSNR that are expected.
        reason: why not wholly; empty where nothing speaks against it.
    """

    strength: float
    gain: float
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Names what is wrong by a calibrated head, and lets through only repairs that are seen to help.

    A kind is tried where its probability is at least what it needs (`Head.needed`). Of a trial, these have to hold:
    there is no more of the kind afterwards; hardly any pixel is newly black or white; colours stay (but for haze and
    low light); the picture stays alike in the large (but for rain, snow and scratches); and the gain that nine of ten
    such repairs exceed (three of four, of some kinds), is more than was found to be needed for few to do harm
    (`Head.demanded`), at full strength, at three quarters or at half; more of it where the kind is faint, as other
    things look like a little of it (`Head.demanded_faint`). Two repairs in one trial have a demand of their own,
    `Head.demanded_in_turn`, and are done wholly or not at all. Less is
    demanded of what goes by something that was measured (`ENOUGH`).

    Args:
        head: of the model.
        wish: what is to be repaired.
        taught: kinds that are named, too, where no kind of the model's own is sure; they cannot be repaired.
    """

    head: Head
    wish: Wish = EVERYTHING
    taught: Taught = NOTHING_TAUGHT

    @property
    def checks(self) -> bool:
        """Whether repairs are tried first."""
        return not self.wish.force

    @property
    def measures(self) -> bool:
        """Whether repairs by what is measured are tried, too: not where no gain of theirs was learned."""
        return self.head.knows_ways

    def name(self, contexts: Numbers, labels: tuple[str, ...], signs: Mapping[str, float]) -> Diagnosis:
        """The diagnosis of a picture.

        Probabilities are means over the parts, and levels, too, each part counting as much as it shows the kind. Of
        what was measured to be there it is known how bad it is; it makes nothing else more or less familiar.

        Args:
            contexts: of its parts, (N, C).
            labels: the model's.
            signs: severities that were measured, by kind (`SIGNS`).
        """
        reading = self.head.read(contexts)
        each = sigmoid(reading.logits)
        probabilities, levels = each.mean(0), _shown(each, reading.levels)
        strangeness = float(np.median(self.head.strangeness(reading.embedding)))
        surest = float(probabilities.max())
        new = find_taught(self.head, self.taught, reading.embedding) if surest < SURE else None
        strange = strangeness > STRANGE + DARING * max(0, surest - LIKELY)
        signed = self._signed(signs, probabilities, only_certain=strange or new is not None)
        for place, (least, level) in signed.items():
            probabilities[place], levels[place] = max(probabilities[place], least), level
        order = np.argsort(-probabilities, kind="stable")
        ranked = {self.head.kinds[i]: float(probabilities[i]) for i in order}
        present = tuple(kind for kind, probability in ranked.items() if probability >= LIKELY)
        none = float(np.prod(1 - probabilities.astype(np.float64)))
        label = present[0] if present else CLEAN
        probability = ranked[label] if present else none
        if new is not None:
            return _of_taught(new, ranked, strangeness)
        if strange:
            present = tuple(self.head.kinds[place] for place in signed)
            label = present[0] if present else UNKNOWN
            probability = ranked[label] if present else 1 - none if none < LIKELY else none
        severities = {
            kind: severity_at(self.head.scales[i], float(levels[i]))
            for i, kind in enumerate(self.head.kinds)
            if kind in present
        }
        families = dict(zip(self.head.kinds, self.head.families, strict=True))
        return Diagnosis(
            label=label,
            probability=probability,
            probabilities=ranked,
            sentence="; ".join(_phrase(kind, ranked[kind], severities[kind]) for kind in present) or PHRASES[label],
            present=present,
            severities={kind: severities[kind] for kind in present},
            families={kind: families[kind] for kind in present},
            strangeness=strangeness,
        )

    def _signed(
        self, signs: Mapping[str, float], probabilities: Numbers, *, only_certain: bool
    ) -> dict[int, tuple[float, float]]:
        """Least probability and level, by place, of each kind that is there by its sign; none where the likeliest is
        repaired as it is.
        """
        signed = {}
        for place, (kind, scale) in enumerate(zip(self.head.kinds, self.head.scales, strict=True)):
            if kind in signs and not self.wish.force and scale.field:
                counts = SIGNS[kind] == CERTAIN if only_certain else probabilities[place] >= SIGNS[kind][0]
                if counts:
                    least = max(SIGNS[kind][1], self.head.needs(kind))  # what is there by its sign is to be tried
                    signed[place] = least, min(1.0, max(0.0, scale.level(signs[kind])))
        return signed

    def beyond(self, height: int, width: int) -> Diagnosis | None:
        """Unknown, where the picture has fewer than `LEAST` pixels a side."""
        if min(height, width) >= LEAST or self.wish.force:
            return None
        return Diagnosis(
            label=UNKNOWN,
            probability=1.0,
            probabilities=dict.fromkeys(self.head.kinds, 0.0),
            sentence=f"too small to judge, {width} x {height} pixels where {LEAST} x {LEAST} are needed: left alone",
            present=(),
        )

    def shares(self, contexts: Numbers, labels: tuple[str, ...]) -> tuple[tuple[str, ...], Numbers]:
        """The kinds, and the probability of each in each part, (N, K)."""
        return self.head.kinds, sigmoid(self.head.read(contexts).logits)

    def candidates(self, finding: Diagnosis, done: tuple[str, ...]) -> tuple[str, ...]:
        """What is present, wanted and not repaired yet, at most `AT_ONCE`; or the next that is forced."""
        if self.wish.force:
            return self.wish.forced(finding.probabilities, done)
        open_kinds = [kind for kind in finding.present if kind not in done and self.wish.wanted(kind)]
        return tuple(kind for kind in open_kinds if finding.probabilities[kind] >= self.head.needs(kind))[:AT_ONCE]

    def in_turn(self, finding: Diagnosis, done: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """Those of `IN_TURN` of which both are probable enough, wanted and not repaired yet."""
        if self.wish.force or self.head.demanded_in_turn is None:
            return ()

        def open_to(kind: str) -> bool:
            sure = kind in finding.present and finding.probabilities[kind] >= self.head.needs(kind)
            return sure and kind not in done and self.wish.wanted(kind)

        return tuple(pair for pair in IN_TURN if all(map(open_to, pair)))

    def likely(self, finding: Diagnosis) -> tuple[str, ...]:
        """What is present and wanted."""
        return tuple(kind for kind in finding.present if self.wish.wanted(kind))

    def doubts(self, finding: Diagnosis, last: Diagnosis, done: tuple[str, ...]) -> tuple[str, ...]:
        """What is present and not wanted, or not repaired and less probable than it has to be, at first or later."""
        said = list(unwanted(finding, self.wish))
        for kind in () if self.wish.force else self.likely(finding):
            need = self.head.needs(kind)
            if kind not in done and finding.probabilities[kind] < need:
                said.append(f"{PHRASES[kind]}: not sure enough of it to try a repair")
            elif kind not in done and last.probabilities[kind] < need:
                said.append(f"{PHRASES[kind]}: no longer sure enough of it after the other repair")
        return tuple(said)

    def weigh(self, trial: Tried) -> Judgement:
        """How far the repair may go, and what it is worth."""
        tonal, covering = (any(kind in some for kind in trial.kinds) for some in (TONAL, COVERING))
        places = [self.head.kinds.index(kind) for kind in trial.kinds]
        old, new = (self._visible(contexts, places) for contexts in (trial.before, trial.after))
        facts = np.stack([evidence(*pair) for pair in zip(trial.parts, trial.repaired, strict=True)])
        phrase = " and ".join(PHRASES[kind] for kind in trial.kinds)
        if (new > old + WORSE).any():
            return Judgement(strength=0, gain=0, reason=f"{phrase}: more of it after a repair, so left as it is")
        if new_clipping(facts) > (MUCH_CLIPPED if tonal or covering else CLIPPED):
            return Judgement(strength=0, gain=0, reason=f"{phrase}: a repair would burn out lights or drown shadows")
        if not tonal and change_of_colour(facts) > COLOUR:
            return Judgement(strength=0, gain=0, reason=f"{phrase}: a repair would change the colours")
        if not covering and likeness(facts) < (TONAL_ALIKE if tonal else ALIKE):
            return Judgement(strength=0, gain=0, reason=f"{phrase}: a repair would change what is in the picture")
        treated = np.tile(self.head.mask(trial.kinds), (len(facts), 1))
        foretold = self.head.foretell(trial.before, trial.after, facts, treated).mean(0)  # (S, Q)
        if (expected := float(foretold[0, EXPECTED])) > ENOUGH[trial.assurance]:
            return Judgement(strength=1, gain=max(USUAL_GAIN, expected))
        quantile = min(self.head.quantile(place) for place in places)  # the most cautious
        for strength, gain, demand in zip(self.head.strengths, foretold, self._demands(trial, places), strict=True):
            if gain[quantile] > demand:
                part = PARTLY.get(strength, f"{strength:.0%}")
                reason = "" if strength == 1 else f"{phrase}: repaired by {part}, as all of it might do harm"
                return Judgement(strength=strength, gain=float(gain[EXPECTED]), reason=reason)
        return Judgement(strength=0, gain=0, reason=f"{phrase}: a repair might do harm, so left as it is")

    def _demands(self, trial: Tried, places: list[int]) -> Numbers:
        """What the repair has to promise at each strength, dB; two in turn are done wholly or not at all."""
        if len(places) > 1:
            whole = np.array(self.head.strengths) == 1
            return np.where(whole, np.float32(self.head.demanded_in_turn or 0), np.float32(np.inf))
        (place,) = places
        faint = self._level(trial.before, place) < self.head.faint[place]
        return np.maximum(self.head.demanded[place], self.head.demanded_faint[place] if faint else 0)

    def _level(self, contexts: Numbers, place: int) -> float:
        """Of a kind, if it is there, in the mean over parts of a picture."""
        return float(frechet_mean(self.head.read(contexts).levels[:, place]).mean())

    def _visible(self, contexts: Numbers, places: list[int]) -> Numbers:
        """How much there is of each of the kinds in parts of a picture, in the mean: probability times level."""
        reading = self.head.read(contexts)
        return (sigmoid(reading.logits[:, places]) * frechet_mean(reading.levels[:, places])).mean(0)


def _shown(each: Numbers, levels: Numbers) -> Numbers:
    """(K,): levels (N, K, L) of the parts of a picture that show the kind, by its probabilities in each (N, K)."""
    weights = each + np.float32(1e-12)  # a probability may round to nothing
    return frechet_mean((levels * weights[..., None]).sum(0) / weights.sum(0)[:, None])


def _of_taught(kind: str, ranked: dict[str, float], strangeness: float) -> Diagnosis:
    """Of how likely a taught kind is, nothing is known but that no other is likelier."""
    return Diagnosis(
        label=kind,
        probability=LIKELY,
        probabilities=ranked,
        sentence=f"likely {kind.replace('_', ' ')}, which I was taught to name, not to repair: left alone",
        present=(),
        strangeness=strangeness,
    )


def _phrase(kind: str, probability: float, severity: Severity) -> str:
    words = ["" if probability >= SURE else "likely", severity.adjective, PHRASES.get(kind, kind.replace("_", " "))]
    text = " ".join(word for word in words if word)
    if kind in MEASURES and severity.value is not None:
        return f"{text}, {MEASURES[kind].format(severity.value)}"
    return text
