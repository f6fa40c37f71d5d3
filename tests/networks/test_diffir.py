"""DiffIR against the published networks: both stages, all heads, every step of the diffusion."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from undegrade.networks import DiffIR
from undegrade.networks.diffir import posterior
from undegrade.networks.published import Weights, build, recognise

TOLERANCE = 1e-4  # ours is below 3e-6
HEADS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "deblur": ({}, (1, 3, 32, 40)),
    "sr1": ({"head": "enlarging"}, (1, 3, 64, 96)),
    "sr2": ({"head": "enlarging", "scale": 2}, (1, 3, 32, 48)),
    "sr4": ({"head": "enlarging", "scale": 4}, (1, 3, 16, 24)),
    "inpainting": ({"head": "filling", "refinement": 0}, (1, 4, 32, 40)),
}


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


def imported(name: str, drawn_weights: Callable[[str], dict[str, Tensor]], stage: str) -> DiffIR:
    """The network that `undegrade import` makes of the published weights."""
    task = name.rpartition("_")[2]
    found = recognise(Weights(path=Path(name), tensors=drawn_weights(name)))
    assert found.layout.name == f"DiffIR (original), {stage} stage"
    usual = {"width": 16, "blocks": (1, 1, 1, 2), "refinement": 1, "encoder_blocks": 2}
    source = "pair" if stage == "first" else "diffusion"
    assert found.config == DiffIR.Config(**{**usual, **HEADS[task][0], "source": source})
    network = build(found, found.config).network
    assert isinstance(network, DiffIR)
    return network


def picture(task: str) -> Tensor:
    image = drawn(0, *HEADS[task][1])
    image[:, 3:] = (image[:, 3:] > 0.5).float()
    return image


@pytest.mark.parametrize("task", HEADS)
@torch.no_grad()
def test_the_first_stage_is_the_published_one(
    task: str, golden: Callable, drawn_weights: Callable, deviation: Callable
) -> None:
    published = golden(f"diffir_s1_{task}")
    network, image = imported(f"diffir_s1_{task}", drawn_weights, "first"), picture(task)
    side = network.scale
    prior = network.prior_of_pair(image, drawn(1, 1, 3, image.shape[2] * side, image.shape[3] * side))
    assert deviation(prior, published["ipr"]) < TOLERANCE
    restored = network.reconstruct(image, network.told_features(image, prior))
    assert deviation(restored[..., ::2, ::2], published["output"]) < TOLERANCE


@pytest.mark.parametrize("task", HEADS)
@torch.no_grad()
def test_the_second_stage_is_the_published_one(
    task: str, golden: Callable, drawn_weights: Callable, deviation: Callable
) -> None:
    published = golden(f"diffir_s2_{task}")
    network, image = imported(f"diffir_s2_{task}", drawn_weights, "second"), picture(task)
    network.start.copy_((drawn(5, 1, 256) - 0.5) * 12**0.5)
    for ours, expected in zip(network.prior(image), published["priors"], strict=True):
        assert deviation(ours, expected) < TOLERANCE
    assert deviation(network(image)[..., ::2, ::2], published["output"]) < TOLERANCE


def test_the_steps_weigh_as_published(golden: Callable) -> None:
    np.testing.assert_allclose(np.array(list(posterior(4))).T, golden("diffir_s2_deblur")["coefficients"], rtol=1e-6)


@torch.no_grad()
def test_the_seed_decides_and_the_same_one_gives_the_same_picture() -> None:
    small: dict[str, Any] = {"width": 8, "blocks": (1, 1, 1, 1), "refinement": 0, "encoder_blocks": 0}
    torch.manual_seed(0)
    first = DiffIR(DiffIR.Config(**small)).eval()
    other = DiffIR(DiffIR.Config(**small, seed=1)).eval()
    other.load_state_dict(first.state_dict())
    image = drawn(3, 1, 3, 16, 16)
    assert torch.equal(first(image), first(image))
    assert not torch.equal(first(image), other(image))
    for steps in (1, 2, 3):
        priors = [DiffIR(DiffIR.Config(**small, steps=steps)).eval() for _ in range(2)]
        for network in priors:
            network.load_state_dict(first.state_dict())
        assert len(priors[0].prior(image)) == steps
        assert torch.equal(priors[0](image), priors[1](image))
        assert not torch.equal(priors[0](image), first(image))
