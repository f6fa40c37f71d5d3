"""What GuidedUNet promises beside the contract of every network."""

from copy import deepcopy
from itertools import pairwise

import pytest
import torch

from undegrade.networks import DegradationClassifier, GuidedUNet, UniversalRestorer

LABELS = ("clean", "noise", "rain")


@pytest.fixture(scope="module")
def model() -> UniversalRestorer:
    torch.manual_seed(0)
    network = GuidedUNet(GuidedUNet.Config(channels=(8, 12, 16), degradations=len(LABELS), glance=8, own=48))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    head = DegradationClassifier.Config(num_blocks=1, max_channels=8)
    return UniversalRestorer(network, head, LABELS, sharpness=16.0).eval()


def picture(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def test_it_starts_as_the_identity_whatever_is_asked_for() -> None:
    network, given = GuidedUNet(GuidedUNet.Config(channels=(8, 8, 8))), picture(16, 24)
    for guide in (network.usual(given), torch.ones(1, 11)):
        assert torch.equal(network.reconstruct(given, network.told_features(given, guide)), given)


@torch.no_grad()
def test_each_guide_draws_another_picture(model: UniversalRestorer) -> None:
    given = picture(24, 32)
    drawn = [model.answer(given, torch.tensor([guide]))[0] for guide in ((0.0, 1, 0), (0.0, 0, 1), (0.0, 1, 1))]
    assert all((one - other).abs().max() > 1e-3 for one, other in pairwise(drawn))


@torch.no_grad()
def test_each_kind_takes_what_is_seen_in_its_own_way(model: UniversalRestorer) -> None:
    changed, given = deepcopy(model), picture(24, 32)
    changed.get_parameter("network.middle.0.own")[1] += 1  # of noise
    same = []
    for guide in (torch.zeros(1, 3), torch.tensor([[0.0, 1, 0]]), torch.tensor([[0.0, 0, 1]])):
        before, after = (one.network.told_features(given, guide)[-2] for one in (model, changed))
        same.append(torch.equal(before, after))
    assert same == [True, False, True]


@torch.no_grad()
def test_what_is_named_does_not_depend_on_the_guide(model: UniversalRestorer) -> None:
    given = picture(24, 32)
    named = [model.answer(given, guide)[1] for guide in (None, torch.tensor([[0.0, 1, 0]]))]
    assert torch.equal(*named)


@torch.no_grad()
def test_a_part_that_is_told_the_context_is_drawn_as_in_the_whole(model: UniversalRestorer) -> None:
    given = picture(480, 480)
    whole, context = model.answer_part(given, torch.zeros(1, model.num_context), torch.zeros(()))
    part = given[..., 80:400, 80:400]
    drawn, _ = model.answer_part(part, context, torch.ones(()))
    assert torch.equal(model.draw_part(part, context), drawn)
    middle = slice(156, 164)  # beyond the reach of the border
    expected = whole[..., 80:400, 80:400]
    torch.testing.assert_close(drawn[..., middle, middle], expected[..., middle, middle], rtol=1e-4, atol=1e-4)
    own, _ = model.answer_part(part, torch.zeros(1, model.num_context), torch.zeros(()))
    assert (own - drawn)[..., middle, middle].abs().max() > 1e-3


def test_a_guide_of_other_columns_is_refused(model: UniversalRestorer) -> None:
    with pytest.raises(ValueError, match=r"guide is \(1, 2\); it must have 3 columns"):
        model.answer(picture(16, 16), torch.zeros(1, 2))


@torch.no_grad()
def test_what_is_lit_is_what_is_drawn_before_the_u_draws(model: UniversalRestorer) -> None:
    unlit = deepcopy(model)
    network = unlit.network
    assert isinstance(network, GuidedUNet)
    network.ending.weight.zero_()
    network.ending.bias.zero_()  # type: ignore[union-attr]
    given, guide = picture(32, 48), torch.tensor([[0.0, 1, 0]])
    lit = network.relit(given, guide)
    torch.testing.assert_close(unlit.answer(given, guide)[0], lit)
    assert (lit - given).abs().max() > 1e-3


@torch.no_grad()
def test_sizes_between_multiples_get_no_black_border(model: UniversalRestorer) -> None:
    padded = model.network.pad(picture(17, 30))
    assert padded.shape[2:] == (32, 32)
    torch.testing.assert_close(padded[..., 20, :30], picture(17, 30)[..., 16, :])
