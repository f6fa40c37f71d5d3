"""What a model says of a picture, read: which degradations, how badly, how strange, and whether a repair has helped.

A model with a grader puts an embedding, logits of presence and logits of levels into its context. Here they are
calibrated, compared with what is familiar, and, before and after a repair, turned into the gain that can be expected.
It runs in numpy, and its numbers lie beside the model as one small file.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.atomic import written_whole
from undegrade.diagnosis.severity import LEVELS, Scale
from undegrade.errors import UndegradeError

Numbers = NDArray[np.float32]

VERSION = 5
ONE_BY_ONE = 4  # the version that knew fewer repairs by what is measured, and none in turn
UNMEASURED = 3  # and the one that knew only the network's
TWO_STRENGTHS = 2  # and the one before, of two strengths
FAR = 6.0  # standard deviations: what is farther off the mean is taken to be there
STRENGTHS = (1.0, 0.75, 0.5)  # of a repair, whose gains are foretold
QUANTILES = (0.1, 0.25, 0.5)  # of the gain
FORMER_STRENGTHS = (1.0, 0.5)  # of that one
NEIGHBOURS = 10  # familiar pictures that a strange one is compared with


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """What is read off N contexts.

    Args:
        embedding: (N, E).
        logits: (N, K), of each kind's presence, calibrated.
        levels: (N, K, L), the probability of each level of `severity.LEVELS`, were the kind there.
        own: (N, K), the logits as the grader gave them.
    """

    embedding: Numbers
    logits: Numbers
    levels: Numbers
    own: Numbers


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """The numbers of a calibration, float32.

    Args:
        kinds: what the grader tells apart, K degradations of the catalogue.
        families: of each.
        scales: of each, what its levels are.
        model: name of the model.
        num_context: length of a context, C.
        num_labels: the last numbers of a context, which are not the grader's.
        num_embedding: length of an embedding, E.
        slope: (K,), of each kind's logit.
        shift: (K,): the probability is sigmoid(slope * logit + shift).
        middle: (E,), mean of the embeddings of such pictures as `familiar` are of.
        width: (E,), their standard deviation.
        familiar: (M, E), where pictures with nothing wrong or with known kinds lie (`places`).
        bases: (1 + K, E), where clean pictures and those of each single kind lie in the mean.
        strangest: distance to `familiar` that only 5 % of such pictures exceed.
        centre: (I,), mean of what gains are foretold from.
        spread: (I,), its standard deviation.
        gain: weight (G, I), bias (G,), weight (g, G), bias (g,), weight (S * Q, g), bias (S * Q,).
        needed: (K,), the probability of a kind from which on its repair is tried.
        cautious: (K,), the quantile of its gain that it is gone by, one of `QUANTILES`.
        demanded: (K, S) dB, above which that quantile has to be, for a repair to go through.
        faint: (K,), the level below which a kind is so faint that other things look like it.
        demanded_faint: (K,) dB, that are demanded then at least.
        knows_ways: whether the gain was learned of repairs by what is measured, too, so that these may be tried.
        demanded_in_turn: dB, above which it has to be for two repairs one after the other; None: no gain was learned of
            such, and they are not tried.
        strengths: S of a repair, the highest first.
    """

    kinds: tuple[str, ...]
    families: tuple[str, ...]
    scales: tuple[Scale, ...]
    model: str
    num_context: int
    num_labels: int
    num_embedding: int
    slope: Numbers
    shift: Numbers
    middle: Numbers
    width: Numbers
    familiar: Numbers
    bases: Numbers
    strangest: float
    centre: Numbers
    spread: Numbers
    gain: tuple[Numbers, ...]
    needed: Numbers
    cautious: Numbers
    demanded: Numbers
    faint: Numbers
    demanded_faint: Numbers
    knows_ways: bool
    demanded_in_turn: float | None
    strengths: tuple[float, ...] = STRENGTHS

    def needs(self, kind: str) -> float:
        """The probability from which on a repair of the kind is tried."""
        return float(self.needed[self.kinds.index(kind)])

    def quantile(self, place: int) -> int:
        """Which of the `QUANTILES` of its gain the kind at that place is gone by."""
        return int(np.abs(np.array(QUANTILES) - self.cautious[place]).argmin())

    def mask(self, kinds: tuple[str, ...]) -> Numbers:
        """(K,): 1 for each of the kinds."""
        return np.array([kind in kinds for kind in self.kinds], np.float32)

    def read(self, contexts: Numbers) -> Reading:
        """(N, C) -> what they say.

        Raises:
            UndegradeError: they are of another model.
        """
        if contexts.shape[1] != self.num_context:
            raise UndegradeError(
                f"the calibration of {self.model} is for contexts of {self.num_context} numbers, and the model's have "
                f"{contexts.shape[1]}; it belongs to another model: write it anew with undegrade calibrate"
            )
        num_kinds, num_levels = len(self.kinds), len(LEVELS)
        end = self.num_context - self.num_labels
        places = np.cumsum([self.num_embedding, num_kinds])
        given = contexts[:, end - self.num_embedding - num_kinds * (1 + num_levels) : end]
        embedding, own, levels = np.split(given, places, axis=1)
        return Reading(
            embedding=embedding,
            logits=own * self.slope + self.shift,
            levels=softmax(levels.reshape(len(contexts), num_kinds, num_levels)),
            own=own,
        )

    def foretell(self, before: Numbers, after: Numbers, evidence: Numbers, treated: Numbers) -> Numbers:
        """What repairs were worth, as far as can be told without the clean picture.

        Args:
            before: (N, C), contexts of parts of pictures.
            after: (N, C), of the same parts repaired.
            evidence: (N, V), of each.
            treated: (N, K), 1 for what was repaired.

        Returns:
            (N, S, Q) dB of PSNR, for each of `strengths` the `QUANTILES`.
        """
        given = np.clip((self.clues(before, after, evidence, treated) - self.centre) / self.spread, -FAR, FAR)
        return layers(given, self.gain).reshape(len(before), len(self.strengths), len(QUANTILES))

    def clues(self, before: Numbers, after: Numbers, evidence: Numbers, treated: Numbers) -> Numbers:
        """What a gain is foretold from, (N, I); arguments as for `foretell`.

        Embeddings, logits and labels' logits before and after, the treated kind, its logits and levels, the evidence;
        of two kinds, the means of their logits and levels.
        """
        shares = treated / treated.sum(1, keepdims=True)
        parts = [treated]
        for contexts in (before, after):
            reading = self.read(contexts)
            parts += [
                reading.embedding,
                reading.own,
                contexts[:, -self.num_labels :],
                (reading.own * shares).sum(1, keepdims=True),
                (reading.levels * shares[..., None]).sum(1),
            ]
        # A head that was calibrated before there were so many knows the first ones.
        known = len(self.centre) - sum(part.shape[1] for part in parts) if len(self.centre) else None
        return np.concatenate([evidence[:, :known], *parts], axis=1)

    def places(self, embedding: Numbers) -> Numbers:
        """(N, E), embeddings in standard deviations from the mean, of unit length: only where they lie counts."""
        return unit((embedding - self.middle) / self.width)

    def strangeness(self, embedding: Numbers) -> Numbers:
        """(N, E) -> (N,), mean cosine distance to the nearest familiar ones, over the distance that is still usual.

        Instance by instance, whatever the classes are, as out-of-distribution pictures are found by the features of
        pre-trained networks (PT-OOD).
        """
        likeness = self.places(embedding) @ self.familiar.T
        nearest = np.sort(likeness, axis=1)[:, -NEIGHBOURS:]
        return (1 - nearest.mean(1)) / np.float32(self.strangest)


def layers(x: Numbers, parts: tuple[Numbers, ...]) -> Numbers:
    """(N, I) -> (N, O): weight and bias by turns, with max(0, x) between them."""
    for number in range(0, len(parts), 2):
        x = x @ parts[number].T + parts[number + 1]
        if number + 2 < len(parts):
            x = np.maximum(x, 0)
    return x


def softmax(x: NDArray[np.floating]) -> Numbers:
    """Over the last axis."""
    odds = np.exp(x - x.max(axis=-1, keepdims=True))
    shares: Numbers = odds / odds.sum(axis=-1, keepdims=True)
    return shares


def sigmoid(x: Numbers) -> Numbers:
    """1 / (1 + exp(-x))."""
    return np.exp(-np.logaddexp(np.float32(0), -x))


def unit(x: Numbers) -> Numbers:
    """(N, E), each divided by its length."""
    return x / (np.linalg.norm(x, axis=1, keepdims=True) + np.float32(1e-6))


ARRAYS = (
    "slope",
    "shift",
    "middle",
    "width",
    "familiar",
    "bases",
    "centre",
    "spread",
    "needed",
    "cautious",
    "demanded",
)
NUM_GAIN = 6  # arrays of `Head.gain`
FACTS = (
    "kinds",
    "families",
    "model",
    "num_context",
    "num_labels",
    "num_embedding",
    "strangest",
    "strengths",
    "knows_ways",
    "demanded_in_turn",
)


FAINT = ("faint", "demanded_faint")  # which heads from before have not


def save_head(head: Head, path: Path) -> None:
    """Write the head; matrices as float16. Replaced whole where it exists."""
    about = {
        "version": VERSION,
        **{name: getattr(head, name) for name in FACTS},
        "scales": [asdict(scale) for scale in head.scales],
    }
    arrays = {name: getattr(head, name) for name in (*ARRAYS, *FAINT)}
    arrays |= {f"gain.{i}": array for i, array in enumerate(head.gain)}
    arrays = {name: array.astype(np.float16 if array.ndim > 1 else np.float32) for name, array in arrays.items()}
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)


def read_head(path: Path) -> Head:
    """The head in a file.

    Raises:
        UndegradeError: it is missing, damaged, or of another version.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            version = about.get("version")
            if version not in (TWO_STRENGTHS, UNMEASURED, ONE_BY_ONE, VERSION):
                raise UndegradeError(f"{path}: version {version}; this undegrade reads {TWO_STRENGTHS} to {VERSION}")
            if version != VERSION:
                about |= {"knows_ways": False, "demanded_in_turn": None}
            if version == TWO_STRENGTHS:
                about["strengths"] = list(FORMER_STRENGTHS)
            stored = {name: file[name] for name in (*ARRAYS, *(FAINT if version >= ONE_BY_ONE else ()))}
            arrays: dict[str, Any] = {name: array.astype(np.float32) for name, array in stored.items()}
            for name in FAINT:
                arrays.setdefault(name, np.zeros(len(about["kinds"]), np.float32))
            arrays["gain"] = tuple(file[f"gain.{i}"].astype(np.float32) for i in range(NUM_GAIN))
        facts: dict[str, Any] = {
            name: tuple(value) if isinstance(value := about[name], list) else value for name in FACTS
        }
        scales = tuple(Scale(**scale) for scale in about["scales"])
        shape = (len(facts["kinds"]), len(facts["strengths"]))
        if arrays["demanded"].shape != shape or arrays["gain"][-1].size != shape[1] * len(QUANTILES):
            raise ValueError("other strengths")
    except FileNotFoundError:
        raise UndegradeError(f"{path}: no such file; undegrade calibrate writes it") from None
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        raise UndegradeError(f"{path}: is damaged or no calibration; write it anew with undegrade calibrate") from None
    return Head(scales=scales, **facts, **arrays)
