"""TextPromptIR against the published network: what it answers to each sentence."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from undegrade.networks import TextPromptIR
from undegrade.networks.published import Weights, build, recognise

TOLERANCE = 1e-4  # ours is below 3e-6


@pytest.fixture(scope="module")
def network(drawn_weights: Callable) -> TextPromptIR:
    found = recognise(Weights(path=None, tensors=drawn_weights("textpromptir")))  # type: ignore[arg-type]
    assert found.layout.name == "TextPromptIR (original)"
    assert found.config == TextPromptIR.Config(blocks=(1, 1, 1, 1), refinement=1)
    network = build(found, found.config).network
    assert isinstance(network, TextPromptIR)
    return network


@torch.no_grad()
def test_told_a_sentence_it_answers_as_published(network: TextPromptIR, golden: Callable, deviation: Callable) -> None:
    published, maps = golden("textpromptir"), dict[str, Tensor]()
    steps = {"encoder_level1": (8, 4), "latent": (4, 2), "decoder_level3": (4, 2), "refinement": (8, 4)}
    hooks = [
        network.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: maps.update({name: out}))
        for name in steps
    ]
    given = torch.from_numpy(np.random.default_rng(0).random((2, 3, 32, 40), dtype=np.float32))
    said = torch.from_numpy(np.random.default_rng(1).random((2, 768), dtype=np.float32)) * 2 - 1
    ours = network.reconstruct(given, network.told_features(given, said))
    assert deviation(ours, published["output"]) < TOLERANCE
    for name, (channels, pixels) in steps.items():
        assert deviation(maps[name][:, ::channels, ::pixels, ::pixels], published[name]) < TOLERANCE, name
    for hook in hooks:
        hook.remove()


def test_an_embedding_of_another_size_is_refused(network: TextPromptIR) -> None:
    with pytest.raises(ValueError, match=r"guide is \(1, 384\); it must have 768 columns"):
        network.told_features(torch.rand(1, 3, 16, 16), torch.rand(1, 384))


def test_in_training_a_sentence_is_drawn_for_each_kind_by_the_pictures_number() -> None:
    config = TextPromptIR.Config(width=8, blocks=(0, 0, 0, 0), refinement=0, embedding=4, kinds=3, number=5)
    network = TextPromptIR(config)
    network.sentences.copy_(torch.rand(3, 5, 4))
    pictures = torch.zeros(4, 3, 8, 8)
    kinds = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 1, 1], [0, 0, 0]]).float()
    guide = network.guide_of(pictures, pictures, kinds, (7, 8, 9, 10))
    assert torch.equal(guide, network.guide_of(pictures, pictures, kinds, (7, 8, 9, 10)))
    assert any(torch.equal(guide[0], one) for one in network.sentences[0])
    assert any(torch.equal(guide[1], one) for one in network.sentences[1])
    pairs = [(a + b) / 2 for a in network.sentences[1] for b in network.sentences[2]]
    assert any(torch.allclose(guide[2], pair) for pair in pairs)
    assert not guide[3].any()
    others = [network.guide_of(pictures, pictures, kinds, (n, n, n, n))[0] for n in range(20)]
    assert len({tuple(one.tolist()) for one in others}) > 1
    assert torch.allclose(network.usual(pictures)[0], network.sentences.mean((0, 1)))
    silent = TextPromptIR(replace(config, kinds=0, number=0))
    assert not silent.guide_of(pictures, pictures, kinds, ()).any()
