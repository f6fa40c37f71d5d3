"""HOGformer's parts against the published ones, on maps that its patches and heads do not divide."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from undegrade.networks import HOGformer
from undegrade.networks.hogformer import HistogramAttention, Sharpening, cut, joined, ordered, unsorted

TOLERANCE = 1e-4  # ours is below 3e-6
Weights = Callable[[str], dict[str, Tensor]]


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


@pytest.mark.parametrize(
    ("name", "heads", "seed", "shape"),
    [("hogformer_dhogsa", 2, 6, (1, 12, 20, 27)), ("hogformer_dhogsa_pad", 4, 13, (1, 16, 9, 11))],
)
@torch.no_grad()
def test_the_attention_is_the_published_one(
    name: str,
    heads: int,
    seed: int,
    shape: tuple[int, ...],
    golden: Callable,
    drawn_weights: Weights,
    deviation: Callable,
) -> None:
    attention = HistogramAttention(shape[1], heads, bias=False)
    attention.load_state_dict(drawn_weights(name))
    assert deviation(attention(drawn(seed, *shape) - 0.5), golden(name)["output"]) < TOLERANCE


@torch.no_grad()
def test_the_feed_forward_network_is_the_published_one(
    golden: Callable, drawn_weights: Weights, deviation: Callable
) -> None:
    network = Sharpening(12, 2.667, bias=False)
    network.load_state_dict(drawn_weights("hogformer_ffn_diff"))
    assert deviation(network(drawn(3, 1, 12, 10, 14)), golden("hogformer_ffn_diff")["output"]) < TOLERANCE


def test_patches_and_orders_are_undone() -> None:
    x = drawn(0, 2, 3, 13, 20)
    assert torch.equal(joined(cut(x), 13, 20), x)
    rows = x.flatten(2).transpose(1, 2)
    order = rows[..., 0].sort(dim=-1).indices
    assert torch.equal(ordered(rows, order)[..., 0], rows[..., 0].sort(dim=-1).values)
    assert torch.equal(unsorted(ordered(rows, order), order), rows)


def test_the_papers_network_has_its_number_of_parameters() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in HOGformer(HOGformer.Config()).parameters()) == pytest.approx(16.646e6, abs=500)
