"""What is to be done to a picture: repairs are tried on samples of it, and weighed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Generic

import numpy as np

from undegrade.images.colour import blended
from undegrade.inference.backend import Backend, Pixels
from undegrade.inference.treatment import F, Judge, Look, Step, Treatment, Trial, steered, surely
from undegrade.inference.ways import UNCHECKED, Measured, assurance_of, find_signs, measure, repair

TRIED = 4  # parts of a picture on which repairs are tried
STEPS = 3  # repairs of one picture, at most, where they are checked
AHEAD = 0.5  # dB that the network has to promise more than a repair by what was measured: large gains are all alike
Run = Callable[..., tuple[Pixels, Pixels]]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tried:
    """What was tried on some of the samples, and how they look after it."""

    steps: list[Step]
    trial: Trial
    after: Look


class Decider(Generic[F]):
    """Tries repairs on samples of a picture, and takes those that promise most, as long as the judge lets one through.

    Args:
        backend: the model.
        judge: names what is wrong and weighs what was tried.
        run: of the model, (image, context or None) -> the restored image and its own context, numbers all of them.
    """

    def __init__(self, backend: Backend, judge: Judge[F], run: Run) -> None:
        self.backend, self.judge, self.run = backend, judge, run
        self._measuring = cache(lambda look, kind: measure(kind, look.parts))

    def decide(self, look: Look) -> Treatment[F]:
        """What is done to a picture, or to all frames of a shot, of which this was seen.

        Raises:
            UndegradeError: the model's answer is no number.
        """
        if not self.backend.labels:
            return Treatment(finding=None, steps=(Step(kind=None, context=_mean(look.contexts)),))
        finding = self._named(look)
        if not self.judge.checks:
            return self._as_told(finding, look)
        steps: list[Step] = []
        reasons: list[str] = []
        # What was not there at first is a trace of a repair, and no reason for another one.
        current, likely = finding, self.judge.likely(finding)
        while len(steps) < STEPS:
            done = tuple(step.kind for step in steps if step.kind is not None)
            kinds = tuple(kind for kind in self.judge.candidates(current, done) if kind is not None)
            pairs = self.judge.in_turn(current, done) if STEPS - len(steps) > 1 else ()
            if current is not finding:
                kinds = tuple(kind for kind in kinds if kind in likely)
                pairs = tuple(pair for pair in pairs if set(pair) <= set(likely))
            following, said, look = self._next(kinds, pairs, look)
            reasons += said
            if not following:
                break
            steps += following
            current = self._named(look)
        doubts = self.judge.doubts(finding, current, tuple(step.kind for step in steps if step.kind is not None))
        wholly = [step.kind for step in steps if step.strength == 1]
        left = tuple(kind for kind in likely if kind not in wholly)
        reason = "; ".join(dict.fromkeys([*doubts, *reasons]))
        return Treatment(finding=finding, steps=tuple(steps), reason=reason, left=left)

    def _as_told(self, finding: F, look: Look) -> Treatment[F]:
        """Repairs that nothing checks, each of the picture as the one before leaves it."""
        reason = "; ".join(self.judge.doubts(finding, finding, ()))
        steps: list[Step] = []
        done: tuple[str, ...] = ()
        while kinds := self.judge.candidates(finding, done):
            if (kind := kinds[0]) is None:
                step = Step(kind=None, context=_mean(look.contexts))
                return Treatment(finding=finding, steps=(step,), reason=reason)
            if done:
                network = partial(self._made, look, done[-1])
                look = self._try(look, done[-1], steps[-1].measured, network).after
            found = self._measured(kind, look) if kind in UNCHECKED else None
            steps.append(Step(kind=kind, context=self._turned(_mean(look.contexts), kind), measured=found))
            done += (kind,)
        left = tuple(kind for kind in self.judge.likely(finding) if kind not in done)
        return Treatment(finding=finding, steps=tuple(steps), reason=reason, left=left)

    def _named(self, look: Look) -> F:
        return self.judge.name(look.contexts, self.backend.labels, find_signs(partial(self._measured, look=look)))

    def _next(
        self, kinds: tuple[str, ...], pairs: tuple[tuple[str, str], ...], look: Look
    ) -> tuple[list[Step], list[str], Look]:
        """The repair that promises most, what speaks against more of it, and how the samples look after it.

        Args:
            kinds: to be tried.
            pairs: to be tried one after the other.
            look: at the samples.
        """
        best, most, refused = None, -math.inf, []
        alone: dict[str, _Tried] = {}
        for repaired in (*((kind,) for kind in kinds), *pairs):
            for tried in self._ways(look, repaired, alone):
                verdict = self.judge.weigh(tried.trial)
                promise = verdict.gain + AHEAD * (tried.steps[0].measured is not None)
                # One after the other they are done wholly or not at all, as half of both is no mixture of the two.
                allowed = verdict.strength if len(repaired) == 1 else verdict.strength == 1
                if allowed and promise > most:
                    best, most = (verdict, tried), promise
                if verdict.strength == 1 and tried.trial.assurance:
                    break  # what the network alone promises is less sure
            refused += [verdict.reason] * (len(repaired) == 1)  # the network's, with which it is over
        if best is None:
            return [], refused, look
        verdict, tried = best
        if verdict.strength == 1:
            return tried.steps, [verdict.reason] * bool(verdict.reason), tried.after
        both = zip(tried.trial.parts, tried.trial.repaired, strict=True)
        parts = [mixed(part, made, verdict.strength) for part, made in both]
        steps = [replace(step, strength=verdict.strength) for step in tried.steps]
        return steps, [verdict.reason], self.look_at(parts, still=look.still)

    def _ways(self, look: Look, kinds: tuple[str, ...], alone: dict[str, _Tried]) -> Iterator[_Tried]:
        """Trials of one repair, first by what is measured; or one of two repairs, by the network.

        Args:
            look: at the samples.
            kinds: to be repaired.
            alone: what the network has made for one kind; added to, and taken for the first of two.
        """
        first, *then = kinds
        if first not in alone:
            network = cache(partial(self._made, look, first))
            if not then and (found := self._measured(first, look)) is not None:
                yield self._try(look, first, found, network)
            alone[first] = self._try(look, first, None, network)
        begun = alone[first]
        if not then:
            yield begun
            return
        ended = self._try(begun.after, then[0], None, partial(self._made, begun.after, then[0]))
        trial = replace(ended.trial, kinds=kinds, before=begun.trial.before, parts=begun.trial.parts)
        yield _Tried(steps=begun.steps + ended.steps, trial=trial, after=ended.after)

    def _measured(self, kind: str, look: Look) -> Measured | None:
        return self._measuring(look, kind) if look.still and self.judge.measures else None

    def _turned(self, context: Pixels, kind: str) -> Pixels:
        return steered(context, self.backend.labels, kind)

    def _try(self, look: Look, kind: str, measured: Measured | None, network: Callable[[int], Pixels]) -> _Tried:
        """A repair of some of the samples, of which the network makes those."""
        chosen = sorted({round(i) for i in np.linspace(0, len(look.parts) - 1, TRIED)})
        repaired = []
        for number in chosen:
            finished = kind in self.backend.finished
            made = repair(look.parts[number], measured, partial(network, number), finished=finished)
            repaired.append(np.clip(made, 0, 1))
        after = self.look_at(repaired, still=look.still)
        trial = Trial(
            kinds=(kind,),
            before=look.contexts[chosen],
            after=after.contexts,
            parts=tuple(look.parts[number] for number in chosen),
            repaired=after.parts,
            assurance=assurance_of(measured),
        )
        step = Step(kind=kind, context=self._turned(_mean(look.contexts), kind), measured=measured)
        return _Tried(steps=[step], trial=trial, after=after)

    def _made(self, look: Look, kind: str, number: int) -> Pixels:
        """What the model makes of a sample where this kind is to be repaired."""
        own = look.contexts[number]
        if surely(own, self.backend.labels, kind):
            return look.repaired[number]
        return self.run(look.parts[number], self._turned(own, kind))[0]

    def look_at(self, parts: list[Pixels], *, still: bool) -> Look:
        """What can be seen of a picture in these parts of it; `still` as in `Look`."""
        answers = [self.run(part) for part in parts]
        return Look(
            parts=tuple(parts),
            contexts=np.stack([context for _, context in answers]),
            repaired=tuple(repaired for repaired, _ in answers),
            still=still,
        )


def _mean(contexts: Pixels) -> Pixels:
    mean: Pixels = contexts.mean(axis=0, dtype=np.float32)
    return mean


def mixed(part: Pixels, repaired: Pixels, strength: float) -> Pixels:
    """So far from the one to the other, mixed in linear light, in [0, 1]."""
    clipped = np.clip(repaired, 0, 1)
    return clipped if strength == 1 else blended(part, clipped, strength)
