"""Restormer against the published network, its copies, and the masked twin."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from undegrade.networks import Restormer

TOLERANCE = 1e-4  # ours is below 2e-6

Weights = Callable[[str], dict[str, Tensor]]

# What each published copy is, in fields.
COPIES: dict[str, dict[str, Any]] = {
    "restormer": {"norm": "bias_free"},
    "restormer_dcpt": {"norm": "bias_free", "norm_eps": 1e-6, "attention": "relu"},
    "restormer_dualpixel": {"dual_pixel": True},
    "restormer_maskdcpt": {},
}


def small(**changes: Any) -> Restormer:
    return Restormer(Restormer.Config(**{"width": 16, "blocks": (1, 1, 1, 2), "refinement": 1, **changes})).eval()


def loaded(name: str, our_weights: Weights, **changes: Any) -> Restormer:
    network = small(**{**COPIES[name], **changes})
    network.load_state_dict(our_weights(name))
    return network


@pytest.mark.parametrize("name", COPIES)
def test_names_and_shapes_are_the_published_ones(name: str, our_weights: Weights, published_shapes: Callable) -> None:
    ours = {key: tuple(value.shape) for key, value in small(**COPIES[name]).state_dict().items()}
    assert ours == {key: tuple(value.shape) for key, value in our_weights(name).items()}
    if name in ("restormer", "restormer_dualpixel"):
        assert ours == published_shapes(name)


@pytest.mark.parametrize("name", COPIES)
@torch.no_grad()
def test_output_is_the_published_one(
    name: str, golden: Callable, our_weights: Weights, picture: Callable, deviation: Callable
) -> None:
    image = picture(32, 40, channels=6 if "dual" in name else 3)
    assert deviation(loaded(name, our_weights)(image), golden(name)["output"]) < TOLERANCE


@pytest.mark.parametrize("name", ["restormer", "restormer_dualpixel"])
@torch.no_grad()
def test_features_are_the_published_decoder_levels(
    name: str, golden: Callable, our_weights: Weights, picture: Callable, deviation: Callable
) -> None:
    published = golden(name)
    features = loaded(name, our_weights).features(picture(32, 40, channels=6 if "dual" in name else 3))
    for level, (feature, step) in enumerate(zip(features, (2, 4, 8), strict=True)):
        assert deviation(feature[:, ::2, ::step, ::step], published[f"feature{level}"]) < TOLERANCE


@torch.no_grad()
def test_the_masked_forward_is_the_published_one(
    golden: Callable, our_weights: Weights, picture: Callable, deviation: Callable
) -> None:
    published = golden("mask_restormer")
    network, image = loaded("restormer_maskdcpt", our_weights), picture(32, 48)
    visible = torch.from_numpy(published["visible"]).bool()
    features = network.features(image, visible)
    for level, (feature, step) in enumerate(zip(features, (2, 4, 8), strict=True)):
        assert deviation(feature[:, ::2, ::step, ::step], published[f"feature{level}"]) < TOLERANCE
    assert deviation(network.draw(image, features, visible), published["drawn"]) < TOLERANCE


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("restormer_dcpt", {"attention": "softmax"}),
        ("restormer_dcpt", {"norm_eps": 1e-3}),
        ("restormer", {"attention": "relu"}),
        ("restormer", {"norm_eps": 1e-2}),
    ],
)
@torch.no_grad()
def test_the_tolerance_would_notice_another_setting(
    name: str, changes: dict[str, Any], golden: Callable, our_weights: Weights, picture: Callable, deviation: Callable
) -> None:
    network = loaded(name, our_weights, **changes)
    assert deviation(network(picture(32, 40)), golden(name)["output"]) > 2 * TOLERANCE


@torch.no_grad()
def test_the_tolerance_would_notice_the_other_norm(
    golden: Callable, our_weights: Weights, picture: Callable, deviation: Callable
) -> None:
    """The same weights behind a norm that centres, with biases of zero."""
    network = small(norm="with_bias")
    missing, unexpected = network.load_state_dict(our_weights("restormer"), strict=False)
    assert not unexpected
    assert all(key.endswith(".body.bias") for key in missing)
    assert deviation(network(picture(32, 40)), golden("restormer")["output"]) > 2 * TOLERANCE


@pytest.mark.parametrize(
    ("name", "other"), [("restormer", 1e-6), ("restormer_dcpt", 1e-5), ("restormer_maskdcpt", 1e-6)]
)
@torch.no_grad()
def test_the_copys_own_eps_comes_far_nearer_than_the_other_copys(
    name: str, other: float, golden: Callable, our_weights: Weights, picture: Callable, deviation: Callable
) -> None:
    """They differ by 1e-5 of the output only, which the tolerance lets pass."""
    image, published = picture(32, 40), golden(name)["output"]
    own = deviation(loaded(name, our_weights)(image), published)
    assert 4 * own < deviation(loaded(name, our_weights, norm_eps=other)(image), published)


@torch.no_grad()
def test_what_is_hidden_of_two_views_has_no_say(our_weights: Weights, picture: Callable) -> None:
    network, image = loaded("restormer_dualpixel", our_weights), picture(16, 16, channels=6)
    visible = torch.eye(2, dtype=torch.bool)[None, None]
    shown = visible.repeat_interleave(8, 2).repeat_interleave(8, 3)
    changed = torch.where(shown, image, 1 - image)
    features, same = (network.features(view, visible) for view in (image, changed))
    assert all(torch.equal(a, b) for a, b in zip(features, same, strict=True))
    assert torch.equal(network.draw(image, features, visible), network.draw(changed, features, visible))
    assert not torch.equal(network.draw(image, features), network.draw(changed, features))  # the skip sees the views


def test_the_papers_network_has_its_number_of_parameters() -> None:
    with torch.device("meta"):
        network = Restormer(Restormer.Config(norm="bias_free"))
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(26.112e6, abs=500)
    assert network.feature_channels == (192, 96, 96)


@torch.no_grad()
def test_bf16_stays_near_float32(our_weights: Weights, picture: Callable) -> None:
    network, image = loaded("restormer", our_weights), picture(48, 64)
    exact = network(image)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(image).float()
    assert (rough - exact).square().mean().sqrt() < 0.03 * exact.std()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": (3, 2, 4, 8)}, r"heads is \(3, 2, 4, 8\); it must divide"),
        ({"blocks": (1, 1)}, r"blocks has 2 numbers; it must have 4"),
        ({"norm": "batch"}, r"norm is 'batch'; it must be with_bias or bias_free"),
        ({"attention": "linear"}, r"attention is 'linear'; it must be"),
    ],
)
def test_what_cannot_be_built_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)
