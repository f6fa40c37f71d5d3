"""What a clause is about, and whether it is to be repaired or left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undegrade.text.sentences import EVERYTHING, MANNERS, NOUNS, Clause

WEIGHTS = Path(__file__).parent / "head.npz"
KINDS = (*dict.fromkeys(kind for kinds in NOUNS for kind in kinds if kind != EVERYTHING), EVERYTHING)

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Read:
    """What the head reads off clauses.

    Args:
        kinds: (N, kinds), the probability of each of `KINDS`.
        manners: (N, 3), the probabilities of MANNERS.
    """

    kinds: Floats
    manners: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """Two layers on an embedding e: h = relu(A e + a); kinds sigmoid(B h + b), manners softmax(C h + c).

    Args:
        weights: (hidden, 384) and (kinds + 3, hidden).
        biases: (hidden,) and (kinds + 3,).
    """

    weights: tuple[Floats, Floats]
    biases: tuple[Floats, Floats]

    def __call__(self, embeddings: Floats) -> Read:
        """(N, 384) -> what is read off it."""
        hidden = np.maximum(embeddings @ self.weights[0].T + self.biases[0], 0)
        logits = hidden @ self.weights[1].T + self.biases[1]
        of_kinds, of_manners = logits[:, : len(KINDS)], logits[:, len(KINDS) :]
        shares = np.exp(of_manners - of_manners.max(1, keepdims=True))
        return Read(kinds=1 / (1 + np.exp(-of_kinds)), manners=shares / shares.sum(1, keepdims=True))


def targets(examples: Sequence[Clause]) -> tuple[Floats, NDArray[np.int64]]:
    """(N, kinds) of ones and zeros, and (N,), the manner's place or -1 where nothing is asked for."""
    kinds = np.array([[kind in one.kinds for kind in KINDS] for one in examples], np.float32)
    return kinds, np.array([-1 if one.manner is None else MANNERS.index(one.manner) for one in examples])


def fit_head(embeddings: Floats, examples: Sequence[Clause], *, hidden: int = 64, steps: int = 800) -> Head:
    """A head that has learned the examples: AdamW on the sum of both cross-entropies; chatter weighs more.

    Args:
        embeddings: (N, 384), of the examples.
        examples: what they are.
        hidden: width of its layer.
        steps: over all examples at once.
    """
    import torch
    import torch.nn.functional as F

    kinds, manners = (torch.from_numpy(values) for values in targets(examples))
    given = torch.from_numpy(embeddings)
    asked = manners >= 0
    weight = torch.where(asked, 1.0, float(asked.sum()) / 10 / max(1, int((~asked).sum())))
    rng = torch.Generator().manual_seed(0)
    sizes = ((hidden, given.shape[1]), (len(KINDS) + len(MANNERS), hidden))
    layers = [(torch.randn(size, generator=rng) / size[1] ** 0.5).requires_grad_() for size in sizes]
    layers += [torch.zeros(size[0], requires_grad=True) for size in sizes]
    optimizer: Any = torch.optim.AdamW(layers, lr=1e-2, weight_decay=1e-2)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
        # A little noise, so that near sentences are read alike.
        noisy = given + 0.02 * torch.randn(given.shape, generator=rng)
        logits = (noisy @ layers[0].T + layers[2]).relu() @ layers[1].T + layers[3]
        of_kinds, of_manners = logits.split([len(KINDS), len(MANNERS)], 1)
        loss = (F.binary_cross_entropy_with_logits(of_kinds, kinds, reduction="none").sum(1) * weight).mean()
        loss = loss + F.cross_entropy(of_manners[asked], manners[asked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    a, b, c, d = (layer.detach().numpy() for layer in layers)
    return Head(weights=(a, b), biases=(c, d))


def save_head(head: Head, path: Path) -> None:
    """Write it in half precision."""
    arrays = {"a": head.weights[0], "b": head.weights[1], "c": head.biases[0], "d": head.biases[1]}
    np.savez_compressed(path, **{name: array.astype(np.float16) for name, array in arrays.items()})  # type: ignore[arg-type]


@cache
def read_head() -> Head:
    """The one that the package brings; `benchmarks/say.py` makes it."""
    with np.load(WEIGHTS) as arrays:
        a, b, c, d = (arrays[name].astype(np.float32) for name in "abcd")
    return Head(weights=(a, b), biases=(c, d))
