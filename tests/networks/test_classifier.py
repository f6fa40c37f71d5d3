"""The degradation classifier against the published head."""

from collections.abc import Callable

import pytest
import torch

from undegrade.networks import DegradationClassifier, NAFNet

CHANNELS = (128, 64, 32, 16)  # of the features, deepest first


def published_head() -> DegradationClassifier:
    return DegradationClassifier(DegradationClassifier.Config(), CHANNELS, 5).eval()


def features(batch: int = 1) -> tuple[torch.Tensor, ...]:
    rng = torch.Generator().manual_seed(0)
    return tuple(torch.rand(batch, c, 2 << i, 4 << i, generator=rng) for i, c in enumerate(CHANNELS))


def test_state_dict_names_and_shapes_are_the_published_ones(
    published_shapes: Callable[[str], dict[str, tuple[int, ...]]],
) -> None:
    ours = {key: tuple(value.shape) for key, value in published_head().state_dict().items()}
    assert ours == published_shapes("dcpt_classifier_nafnet")


@torch.no_grad()
def test_logits_are_the_published_ones(
    golden: Callable, drawn_weights: Callable, our_weights: Callable, picture: Callable, deviation: Callable
) -> None:
    network = NAFNet(NAFNet.Config(width=16, encoder=(1, 1, 1, 2))).eval()
    network.load_state_dict(our_weights("nafnet_dcpt"))
    head = published_head()
    head.load_state_dict(drawn_weights("dcpt_classifier_nafnet"))
    logits = head(network.features(picture(48, 64)))
    assert deviation(logits, golden("dcpt_classifier_nafnet")["output"]) < 1e-4


def test_a_light_head_projects_wide_features_and_learns_from_all_of_them() -> None:
    head = DegradationClassifier(DegradationClassifier.Config(num_blocks=1, max_channels=24), CHANNELS, 7)
    widths = {m.out_channels for m in head.bottleneck_layers.modules() if isinstance(m, torch.nn.Conv2d)}
    assert max(widths) == 48  # twice the width inside a bottleneck
    given = tuple(f.requires_grad_() for f in features(2))
    logits = head(given)
    assert logits.shape == (2, 7)
    logits.logsumexp(1).sum().backward()
    for feature in given:
        assert feature.grad is not None
        assert feature.grad.abs().max() > 0
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in head.parameters())


@torch.no_grad()
def test_pictures_of_a_batch_are_named_one_by_one() -> None:
    head, given = published_head(), features(3)
    alone = torch.cat([head(tuple(f[i : i + 1] for f in given)) for i in range(3)])
    torch.testing.assert_close(head(given), alone, rtol=1e-4, atol=1e-5)


def full_size(height: int, width: int) -> tuple[torch.Tensor, ...]:
    """Features of one size, as SwinIR's."""
    rng = torch.Generator().manual_seed(0)
    return tuple(torch.rand(2, 12, height, width, generator=rng) for _ in range(3))


@torch.no_grad()
def test_features_of_one_size_are_shrunk_to_nearest_pixels_the_last_least() -> None:
    head, given = DegradationClassifier(DegradationClassifier.Config(), (12,) * 3, 5).eval(), full_size(16, 24)
    # f_i, counted from the last, keeps every 2^(i-1)-th pixel, as DCPT shrinks it.
    shrunk = tuple(feature[..., :: 4 >> i, :: 4 >> i] for i, feature in enumerate(given))
    assert [f.shape[2] for f in shrunk] == [4, 8, 16]
    assert torch.equal(head(given), head(shrunk))
    other = (given[0].roll(1, 3), *given[1:])
    assert not torch.equal(head(other), head(given))


@pytest.mark.parametrize("size", [(8, 8), (7, 14), (5, 1), (1, 1)])
@torch.no_grad()
def test_features_of_one_size_may_be_small_and_odd(size: tuple[int, int]) -> None:
    head = DegradationClassifier(DegradationClassifier.Config(), (12,) * 3, 5).eval()
    assert head(full_size(*size)).isfinite().all()


def test_the_papers_head_for_swinir_has_its_number_of_parameters() -> None:
    with torch.device("meta"):
        head = DegradationClassifier(DegradationClassifier.Config(), (180,) * 3, 5)
    assert sum(p.numel() for p in head.parameters()) == pytest.approx(10.5e6, rel=0.01)


def test_another_number_of_features_is_refused() -> None:
    with pytest.raises(ValueError, match="argument"):
        published_head()(features()[1:])
