"""PromptIR against the published network and the masked twin."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from undegrade.networks import DegradationClassifier, PromptIR, UniversalRestorer

TOLERANCE = 1e-4  # ours is below 3e-6

Weights = Callable[[str], dict[str, Tensor]]


def small(**changes: Any) -> PromptIR:
    return PromptIR(PromptIR.Config(blocks=(1, 1, 1, 1), refinement=1, **changes)).eval()


def loaded(name: str, our_weights: Weights) -> PromptIR:
    network = small()
    network.load_state_dict(our_weights(name))
    return network


@pytest.mark.parametrize("name", ["promptir", "promptir_original", "mask_promptir"])
def test_names_and_shapes_are_the_published_ones_without_those_that_nothing_uses(
    name: str, our_weights: Weights, published_shapes: Callable
) -> None:
    with torch.device("meta"):
        ours = {key: tuple(value.shape) for key, value in small().state_dict().items()}
    assert ours == {key: tuple(value.shape) for key, value in our_weights(name).items()}
    published = published_shapes(name)
    assert len(published) == len(ours) + (6 if name == "promptir_original" else 0)
    if name == "promptir":
        alike = {key: shape for key, shape in published.items() if not key.endswith("prompt_param")}
        assert alike.items() <= ours.items()


@torch.no_grad()
def test_output_is_the_published_one(
    golden: Callable, our_weights: Weights, picture: Callable, deviation: Callable
) -> None:
    assert deviation(loaded("promptir", our_weights)(picture(32, 40)), golden("promptir")["output"]) < TOLERANCE


@torch.no_grad()
def test_the_masked_forward_is_the_published_one(
    golden: Callable, our_weights: Weights, picture: Callable, deviation: Callable
) -> None:
    published = golden("mask_promptir")
    network, image = loaded("mask_promptir", our_weights), picture(32, 48)
    visible = torch.from_numpy(published["visible"]).bool()
    features = network.features(image, visible)
    for level, (feature, step) in enumerate(zip(features[:3], (2, 4, 8), strict=True)):
        assert deviation(feature[:, ::2, ::step, ::step], published[f"feature{level}"]) < TOLERANCE
    refined = network.refinement(features[-1], visible)
    assert deviation(refined[:, ::2, ::4, ::4], published["refinement"]) < TOLERANCE


def test_the_papers_network_has_its_number_of_parameters() -> None:
    with torch.device("meta"):
        network = PromptIR(PromptIR.Config())
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(35.377e6, abs=500)
    assert network.feature_channels[: network.num_tapped] == (192, 192, 96)


@torch.no_grad()
def test_the_degradation_is_named_from_what_follows_the_prompts() -> None:
    config = PromptIR.Config(width=8, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1), prompt_channels=(4, 8, 8))
    model = UniversalRestorer(PromptIR(config), DegradationClassifier.Config(num_blocks=0), ("clean", "noise")).eval()
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    features = model.network.features(image)
    logits = model.name(features)
    assert logits.shape == (2, 2)
    assert torch.equal(model.name((*features[:3], features[3] + 1)), logits)  # the finest one is not asked
    assert not torch.equal(model.name((*features[:2], features[2] + 1, features[3])), logits)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt_channels": (64, 128)}, r"prompt_channels has 2 numbers; it must have 3"),
        (
            {"prompt_channels": (63, 128, 320)},
            r"prompt_channels is \(63, 128, 320\); .* must give multiples of heads\[2\], 4",
        ),
        ({"prompts": 0}, r"prompts is 0; it must"),
    ],
)
def test_what_cannot_be_built_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)
