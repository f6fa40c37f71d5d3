"""NAFNet against the published network, and what `unshuffle` and `detail_gain` add to it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from undegrade.networks import NAFNet

TOLERANCE = 1e-4  # ours is below 1e-6

Weights = Callable[[str], dict[str, Tensor]]


def small(**changes: float) -> NAFNet:
    config = {"width": 16, "encoder": (1, 1, 1, 2), **changes}
    return NAFNet(NAFNet.Config(**config)).eval()


def loaded(name: str, our_weights: Weights, **changes: float) -> NAFNet:
    network = small(**changes)
    network.load_state_dict(our_weights(name))
    return network


def test_state_dict_names_and_shapes_are_the_published_ones(
    published_shapes: Callable[[str], dict[str, tuple[int, ...]]],
) -> None:
    assert {key: tuple(value.shape) for key, value in small().state_dict().items()} == published_shapes("nafnet")


@pytest.mark.parametrize("name", ["nafnet_dcpt", "nafnet_maskdcpt"])
def test_the_copies_differ_only_in_the_names_of_the_stages(
    name: str, our_weights: Weights, published_shapes: Callable[[str], dict[str, tuple[int, ...]]]
) -> None:
    copy = {key: tuple(value.shape) for key, value in our_weights(name).items()}
    assert copy == published_shapes("nafnet")


@pytest.mark.parametrize(
    ("name", "weights", "size", "changes"),
    [
        ("nafnet", "nafnet", (43, 61), {}),
        ("nafnet_dcpt", "nafnet_dcpt", (48, 64), {}),
        ("nafnet_local", "nafnet", (64, 80), {"local_size": 32}),
        ("nafnet_maskdcpt", "nafnet_maskdcpt", (48, 64), {"norm_eps": 1e-5}),
    ],
)
@torch.no_grad()
def test_output_is_the_published_one(
    name: str,
    weights: str,
    size: tuple[int, int],
    changes: dict[str, float],
    golden: Callable,
    our_weights: Weights,
    picture: Callable,
    deviation: Callable,
) -> None:
    network = loaded(weights, our_weights, **changes)
    assert deviation(network(picture(*size)), golden(name)["output"]) < TOLERANCE


@pytest.mark.parametrize(
    ("weights", "size", "changes"),
    [("nafnet", (64, 80), {"local_size": 16}), ("nafnet_maskdcpt", (48, 64), {"norm_eps": 1e-3})],
)
@torch.no_grad()
def test_the_tolerance_would_notice_another_setting(
    weights: str,
    size: tuple[int, int],
    changes: dict[str, float],
    golden: Callable,
    our_weights: Weights,
    picture: Callable,
    deviation: Callable,
) -> None:
    name = "nafnet_local" if "local_size" in changes else weights
    network = loaded(weights, our_weights, **changes)
    assert deviation(network(picture(*size)), golden(name)["output"]) > 2 * TOLERANCE


@torch.no_grad()
def test_features_are_the_published_decoder_stages(
    golden: Callable, our_weights: Weights, picture: Callable, deviation: Callable
) -> None:
    published = golden("nafnet_dcpt")
    features = loaded("nafnet_dcpt", our_weights).features(picture(48, 64))
    assert len(features) == 4
    for level, feature in enumerate(features):
        # Of the finer stages only every second, fourth, eighth pixel is stored.
        sampled = feature[..., :: 2**level, :: 2**level]
        assert sampled.shape == published[f"feature{level}"].shape
        assert deviation(sampled, published[f"feature{level}"]) < TOLERANCE


@torch.no_grad()
def test_the_masked_forward_is_the_published_one(
    golden: Callable, our_weights: Weights, picture: Callable, deviation: Callable
) -> None:
    published = golden("mask_nafnet")
    network, image = loaded("nafnet_maskdcpt", our_weights, norm_eps=1e-5), picture(64, 96)
    visible = torch.from_numpy(published["visible"]).bool()
    features = network.features(image, visible)
    # Of the finer stages and of the picture only some pixels are stored.
    for feature, name, step in zip(features, ("decoder0", "", "decoder2", "decoder3"), (1, 0, 4, 8), strict=True):
        if name:
            assert deviation(feature[..., ::step, ::step], published[name]) < TOLERANCE
    assert deviation(network.draw(image, features, visible)[..., ::2, ::2], published["drawn"]) < TOLERANCE


@torch.no_grad()
def test_the_masked_features_that_are_seen_are_the_published_ones_of_three_levels_too(
    golden: Callable, our_weights: Weights, picture: Callable, deviation: Callable
) -> None:
    published = golden("mask_nafnet_knn")
    network = NAFNet(NAFNet.Config(width=32, encoder=(1, 1, 2), decoder=(1, 1, 1), norm_eps=1e-5)).eval()
    network.load_state_dict(our_weights("mask_nafnet_knn"))
    visible = torch.from_numpy(published["visible"]).bool()
    finest = network.features(picture(32, 48), visible)[-1]
    shown = visible.repeat_interleave(8, 2).repeat_interleave(8, 3).expand_as(finest)
    assert deviation(finest[shown][::4], published["kept"]) < TOLERANCE  # every fourth value is stored


@torch.no_grad()
def test_a_mask_that_hides_nothing_changes_nothing(our_weights: Weights, picture: Callable) -> None:
    network, image = loaded("nafnet", our_weights), picture(32, 48)
    features = network.features(image, torch.ones(1, 1, 2, 3, dtype=torch.bool))
    assert all(torch.equal(a, b) for a, b in zip(features, network.features(image), strict=True))


@torch.no_grad()
def test_padding_is_of_zeros_to_the_right_and_below(our_weights: Weights, picture: Callable) -> None:
    network, image = loaded("nafnet", our_weights), picture(43, 61)
    padded = torch.zeros(1, 3, 48, 64)
    padded[..., :43, :61] = image
    assert torch.equal(network(image), network(padded)[..., :43, :61])


@torch.no_grad()
def test_local_means_are_global_where_the_picture_is_not_larger_than_the_box(
    our_weights: Weights, picture: Callable
) -> None:
    image = picture(48, 48)  # TLC's box is 1.5 times the training crop of 32
    local, whole = loaded("nafnet", our_weights, local_size=32), loaded("nafnet", our_weights)
    torch.testing.assert_close(local(image), whole(image))
    assert not local.global_statistics
    assert whole.global_statistics


@pytest.mark.parametrize("unshuffle", [2, 3])
def test_a_folded_picture_gives_a_picture_of_the_same_size_and_coarser_features(unshuffle: int) -> None:
    network = NAFNet(NAFNet.Config(width=8, encoder=(1, 1), decoder=(1, 1), unshuffle=unshuffle))
    for block in network.modules():  # blocks start as the identity, whose inner convolutions get no gradient
        for name in ("beta", "gamma"):
            if hasattr(block, name):
                torch.nn.init.ones_(getattr(block, name))
    multiple = 4 * unshuffle
    assert network.size_multiple == multiple
    image = torch.rand(2, 3, 2 * multiple, 3 * multiple, requires_grad=True)
    features = network.features(image)
    assert [tuple(f.shape) for f in features] == [(2, 16, 4, 6), (2, 8, 8, 12)]
    restored = network(image)
    assert restored.shape == image.shape
    restored.square().mean().backward()
    assert image.grad is not None
    assert image.grad.abs().min() > 0
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_zero_output_starts_as_the_identity() -> None:
    image = torch.rand(1, 3, 21, 30)
    network = NAFNet(NAFNet.Config(width=8, encoder=(1, 1), decoder=(1, 1), unshuffle=2, zero_output=True))
    assert torch.equal(network(image), image)


def test_detail_filters_are_blind_to_flat_colour_and_have_the_given_norm() -> None:
    network = NAFNet(NAFNet.Config(width=8, encoder=(1,), decoder=(1,), unshuffle=2, detail_gain=5.0))
    filters = network.intro.weight.detach()[:6]
    torch.testing.assert_close(filters.flatten(1).norm(dim=1), torch.full((6,), 5.0))
    # unshuffling keeps the four pixels of one colour beside one another
    torch.testing.assert_close(filters.reshape(6, 3, -1).mean(2), torch.zeros(6, 3), atol=1e-6, rtol=0)
    assert network.intro.weight.detach()[6:].reshape(2, 3, -1).mean(2).abs().max() > 1e-4


def test_the_papers_network_has_its_number_of_parameters() -> None:
    with torch.device("meta"):
        network = NAFNet(NAFNet.Config())
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(67.889e6, abs=500)


@torch.no_grad()
def test_bf16_stays_near_float32(our_weights: Weights, picture: Callable) -> None:
    network, image = loaded("nafnet", our_weights, local_size=16), picture(48, 64)
    exact = network(image)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(image).float()
    assert (rough - exact).square().mean().sqrt() < 0.02 * exact.std()
