"""The calibration of a diagnosis, learned from observations of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from undegrade.degradations import DEGRADATIONS
from undegrade.diagnosis.diagnosis import LIKELY
from undegrade.diagnosis.head import FAR, QUANTILES, STRENGTHS, Head, sigmoid, unit
from undegrade.training.observations import Observations
from undegrade.training.specimens import scale_of

Numbers = NDArray[np.float32]

# The probability from which on a kind is repaired: the least of these, unless a higher one keeps so much more of what
# held-out pictures would gain, as a few of them make as much difference.
NEEDED, MORE = (LIKELY, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98), 0.05
# But at least: a little noise is taken for darkness, so rarely among held-out specimens that they do not show it
# (docs/experiments.md, "How probable a kind has to be").
AT_LEAST = {"low_light": 0.95}
# Kinds that are gone by a quartile of the gain, others by its tenth quantile: a repair that was not called for costs
# little; or the gain is foretold so widely that the latter would leave much of it.
QUARTILE = ("jpeg", "motion_blur", "defocus_blur", "mosaic", "haze", "low_light", "rain", "inpainting")
# Below this level, so many dB are demanded at least: fur and the grain of old scans look like a little noise.
FAINT = {"noise": (0.25, 2.0)}
NOT_FAINT = (0.0, 0.0)
GAIN_WIDTHS = (128, 48)
DROPPED = 0.2  # share of the inputs and of the hidden numbers that are dropped in training
GAIN_LIMIT = 6.0  # dB, beyond which a gain counts as that
RISK, HARM = 0.03, 0.1  # share of the pictures of a kind that may lose more than so many dB
LOSS = 0.1  # dB that the pictures of a kind may lose in the mean, those that gain counted as 0
WORST = 20.0  # dB, as which every larger loss counts
FAMILIAR = 3000  # embeddings that are kept
USUAL = 95  # per cent of familiar pictures that must not be strange


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How the gain is learned.

    Args:
        epochs: through all observations.
        batch: observations a step.
        lr: the highest learning rate, of one cycle of AdamW.
        decay: weight decay.
        seed: of everything random.
        members: networks, of which the mean foretells: demands hang on a few pictures, and less so on their mean.
    """

    epochs: int = 30
    batch: int = 128
    lr: float = 2e-3
    decay: float = 0.1
    seed: int = 0
    members: int = 5


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is calibrated.

    Args:
        name: of the model.
        kinds: the K degradations that its grader tells apart, in the order of `Observations.present`.
        num_labels: the last numbers of its contexts.
        num_embedding: numbers of its grader's embedding.
    """

    name: str
    kinds: tuple[str, ...]
    num_labels: int
    num_embedding: int


def fit_head(seen: Observations, held_out: Observations, subject: Subject, fit: Fit) -> Head:
    """The calibration of a model.

    The logits: a, b of each kind minimise the cross-entropy of sigmoid(a * logit + b) (Platt, 1999), where presence is
    not in doubt. The gain's quantiles q: a small network minimises the pinball loss max(q d, (q - 1) d), d = gain -
    foretold. Held-out photographs, which neither the grader nor the gain has seen, give the former, and say which
    distance from the familiar is usual, and what to demand of a repair.

    Args:
        seen: of photographs to learn from.
        held_out: of other photographs, in crops as large as those that pictures are judged by.
        subject: the model.
        fit: how.
    """
    torch.manual_seed(fit.seed)
    num_kinds = len(subject.kinds)
    nothing = np.zeros(0, np.float32)
    bare = Head(
        kinds=subject.kinds,
        families=tuple(DEGRADATIONS[kind].family for kind in subject.kinds),
        scales=tuple(scale_of(kind) for kind in subject.kinds),
        model=subject.name,
        num_context=seen.before.shape[1],
        num_labels=subject.num_labels,
        num_embedding=subject.num_embedding,
        slope=np.ones(num_kinds, np.float32),
        shift=np.zeros(num_kinds, np.float32),
        middle=np.zeros(subject.num_embedding, np.float32),
        width=np.ones(subject.num_embedding, np.float32),
        familiar=np.zeros((1, subject.num_embedding), np.float32),
        bases=np.zeros((1, subject.num_embedding), np.float32),
        strangest=1.0,
        centre=nothing,
        spread=nothing,
        gain=(nothing,) * 6,
        needed=np.full(num_kinds, LIKELY, np.float32),
        cautious=np.array([0.25 if kind in QUARTILE else 0.1 for kind in subject.kinds], np.float32),
        demanded=np.zeros((num_kinds, len(STRENGTHS)), np.float32),
        faint=np.array([FAINT.get(kind, NOT_FAINT)[0] for kind in subject.kinds], np.float32),
        demanded_faint=np.array([FAINT.get(kind, NOT_FAINT)[1] for kind in subject.kinds], np.float32),
        knows_ways=True,
        demanded_in_turn=None,
    )
    slope, shift = _platt(bare.read(held_out.before).own, held_out)
    calibrated = replace(bare, slope=slope, shift=shift)
    weighed = _with_demands(_with_gain(calibrated, seen, fit), held_out)
    return _with_memory(weighed, seen, held_out.before[held_out.ways != "other"])


def _with_gain(head: Head, seen: Observations, fit: Fit) -> Head:
    clues = head.clues(seen.before, seen.after, seen.evidence, seen.treated)
    centre, spread = clues.mean(0), clues.std(0) + np.float32(1e-3)
    given = torch.from_numpy(np.clip((clues - centre) / spread, -FAR, FAR))
    gains = torch.from_numpy(seen.gains).clamp(-GAIN_LIMIT, GAIN_LIMIT)
    members = [_gain_network(given, gains, fit) for _ in range(fit.members)]
    return replace(head, centre=centre, spread=spread, gain=_joined(members))


def _gain_network(given: Tensor, gains: Tensor, fit: Fit) -> tuple[Numbers, ...]:
    """Weights and biases, by turns, of a network that foretells the quantiles of gains (N, S) from clues (N, I)."""
    wide, narrow = GAIN_WIDTHS
    network = nn.Sequential(
        nn.Dropout(DROPPED),
        nn.Linear(given.shape[1], wide),
        nn.ReLU(),
        nn.Dropout(DROPPED),
        nn.Linear(wide, narrow),
        nn.ReLU(),
        nn.Linear(narrow, len(STRENGTHS) * len(QUANTILES)),
    )
    shares = torch.tensor(QUANTILES)

    def loss(rows: Tensor) -> Tensor:
        over = gains[rows][..., None] - network(given[rows]).unflatten(1, (len(STRENGTHS), -1))
        return torch.maximum(shares * over, (shares - 1) * over).mean()

    _descend(network, loss, len(given), fit)
    return tuple(array for layer in network if isinstance(layer, nn.Linear) for array in _numbers(layer))


def _joined(members: list[tuple[Numbers, ...]]) -> tuple[Numbers, ...]:
    """Networks as one whose answer is the mean of theirs."""
    first, first_bias, second, second_bias, last, last_bias = zip(*members, strict=True)
    blocks: Numbers = torch.block_diag(*map(torch.from_numpy, second)).numpy()
    shares: Numbers = (np.concatenate(last, 1) / len(members)).astype(np.float32)
    bias: Numbers = np.mean(last_bias, 0, dtype=np.float32)
    return np.concatenate(first), np.concatenate(first_bias), blocks, np.concatenate(second_bias), shares, bias


def _with_demands(head: Head, held_out: Observations) -> Head:
    """What the cautious quantile of the gain has to be, so that few repairs do harm.

    Of each kind and strength, and of two repairs in turn, the least demand, 0 or more, with which of the pictures that
    are asked about at most the share `RISK` lose more than `HARM` dB, and all of them lose at most `LOSS` in the mean:
    as conformal risk control (ICLR 2024) chooses a threshold, by what happens on pictures that no gain was fitted to.
    With it, how probable a kind has to be (`_least`).
    """
    odds = sigmoid(head.read(held_out.before).logits)
    foretold = head.foretell(held_out.before, held_out.after, held_out.evidence, held_out.treated)
    treated = held_out.treated > 0
    alone = treated.sum(1) == 1
    needed = np.zeros(len(head.kinds), np.float32)
    demanded = np.zeros((len(head.kinds), len(STRENGTHS)), np.float32)
    for place, kind in enumerate(head.kinds):
        rows = alone & treated[:, place]
        choices = [least for least in NEEDED if least >= AT_LEAST.get(kind, LIKELY)]
        given, gains = foretold[rows, :, head.quantile(place)], held_out.gains[rows]
        needed[place], demanded[place] = _least(choices, odds[rows, place], given, gains)
    # Only what is sure is tried, of two in turn each.
    asked, whole = np.flatnonzero((~treated | (odds >= needed)).all(1) & ~alone), STRENGTHS.index(1)
    quantiles = np.array([head.quantile(place) for place in range(len(head.kinds))])
    cautious = np.where(treated[asked], quantiles, len(QUANTILES)).min(1, initial=len(QUANTILES))
    in_turn = _demand(foretold[asked, whole, cautious], held_out.gains[asked, whole]) if len(asked) else None
    return replace(head, needed=needed, demanded=demanded, demanded_in_turn=in_turn)


def _least(choices: Sequence[float], odds: Numbers, given: Numbers, gains: Numbers) -> tuple[float, Numbers]:
    """How probable a kind has to be, one of the choices, the least first, and what is demanded then, (S,).

    What is seldom there but ruins the picture where it is not, as lines are that were taken for scratches, raises what
    is demanded of all, so that to try less may keep more.

    Args:
        choices: of which the least is taken, unless a higher one keeps `MORE`.
        odds: (N,), probabilities of pictures whose repair was of this kind.
        given: (N, S) dB, foretold.
        gains: (N, S) dB.
    """
    if not len(odds):
        return choices[-1], np.full(gains.shape[1], np.inf, np.float32)  # nothing is known of it
    chosen, most = None, 0.0
    for needed in choices:
        asked = odds >= needed
        demands = np.array([_demand(*pair) for pair in zip(given[asked].T, gains[asked].T, strict=True)], np.float32)
        through = given[asked] > demands
        strongest = np.arange(asked.sum()), through.argmax(1)  # that goes through
        kept = float(np.clip(gains[asked][strongest], -WORST, GAIN_LIMIT)[through.any(1)].sum())
        if chosen is None or kept > most * (1 + MORE):
            chosen, most = (needed, demands), max(kept, 0)
    assert chosen is not None
    return chosen


def _demand(given: Numbers, gains: Numbers) -> float:
    """Above which what is given has to be, (N,) both, dB."""
    order = np.argsort(-given, kind="stable")
    gains = np.maximum(gains[order], -WORST)
    harmed = np.cumsum(gains < -HARM) > RISK * len(gains)
    lost = np.cumsum(np.minimum(gains, 0)) < -LOSS * len(gains)
    too_many = harmed | lost
    return max(0.0, float(given[order[int(too_many.argmax())]])) if too_many.any() else 0.0


def _with_memory(head: Head, seen: Observations, held_out: Numbers) -> Head:
    """Where known pictures lie, each and in the mean of a kind, and how far from them others usually are."""
    known = seen.ways != "other"
    embeddings = head.read(seen.before).embedding
    scaled = replace(head, middle=embeddings[known].mean(0), width=embeddings[known].std(0) + np.float32(1e-3))
    places = scaled.places(embeddings)
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(known))[:FAMILIAR]
    alone = [seen.ways == "clean", *((seen.names == kind) & (seen.present.max(1) == 1) for kind in head.kinds)]
    remembering = replace(
        scaled,
        familiar=places[chosen],
        bases=unit(np.stack([places[rows if rows.any() else known].mean(0) for rows in alone])),
    )
    distances = remembering.strangeness(remembering.read(held_out).embedding)
    return replace(remembering, strangest=float(np.percentile(distances, USUAL)))


def _descend(network: nn.Module, loss: Callable[[Tensor], Tensor], count: int, fit: Fit) -> None:
    """Train by AdamW over one cycle of the learning rate; leaves the network in evaluation mode."""
    steps = max(1, fit.epochs * count // fit.batch)
    optimiser = torch.optim.AdamW(network.parameters(), fit.lr, weight_decay=fit.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, fit.lr, total_steps=steps)
    network.train()
    for _ in range(steps):
        optimiser.zero_grad()
        loss(torch.randint(count, (fit.batch,))).backward()
        optimiser.step()
        schedule.step()
    network.eval()


def _platt(logits: Numbers, held_out: Observations) -> tuple[Numbers, Numbers]:
    """Slope and shift (K,) of each kind's logit; 1 and 0 where a kind is always or never there."""
    slopes, shifts = np.ones(logits.shape[1], np.float32), np.zeros(logits.shape[1], np.float32)
    known = held_out.ways != "other"
    for kind in range(logits.shape[1]):
        sure = known & ~np.isnan(held_out.present[:, kind])
        truth = torch.from_numpy(held_out.present[sure, kind])
        if truth.min() == truth.max():
            continue
        own = torch.from_numpy(logits[sure, kind])
        line = torch.tensor([1.0, 0.0], requires_grad=True)
        optimiser = torch.optim.LBFGS([line], max_iter=100, line_search_fn="strong_wolfe")

        def closure(line: Tensor = line, own: Tensor = own, truth: Tensor = truth) -> Tensor:
            line.grad = None
            error = F.binary_cross_entropy_with_logits(line[0] * own + line[1], truth)
            error.backward()
            return error

        optimiser.step(closure)
        slopes[kind], shifts[kind] = line.detach().numpy()
    return slopes, shifts


def _numbers(layer: nn.Linear) -> tuple[Numbers, Numbers]:
    return layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()
