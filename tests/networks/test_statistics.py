from dataclasses import replace

import pytest
import torch
from torch import Tensor

from undegrade.networks import DegradationClassifier, NAFNet, UniversalRestorer
from undegrade.networks.statistics import exchanged, num_statistics

SMALL = NAFNet.Config(width=4, encoder=(1, 2), middle=1, decoder=(1, 1), unshuffle=2)


@pytest.fixture
def model() -> UniversalRestorer:
    """A steered one whose weights all matter."""
    torch.manual_seed(0)
    made = UniversalRestorer(NAFNet(SMALL), DegradationClassifier.Config(), ("clean", "haze"), steered=True).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


@pytest.fixture
def picture() -> Tensor:
    return torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(1))


def test_as_many_numbers_as_channels_of_all_blocks(model: UniversalRestorer) -> None:
    assert num_statistics(model.network) == 4 + 2 * 8 + 16 + 8 + 4
    assert model.num_context == num_statistics(model.network) + 2
    assert num_statistics(NAFNet(replace(SMALL, local_size=32))) == 0


@torch.no_grad()
def test_without_trust_a_part_is_answered_like_a_picture(model: UniversalRestorer, picture: Tensor) -> None:
    wanted, logits = model.answer(picture)
    restored, context = model.answer_part(picture, torch.full((1, model.num_context), 9.0), torch.zeros(()))
    assert context.shape == (1, model.num_context)
    torch.testing.assert_close(restored, wanted)
    torch.testing.assert_close(context[:, -2:], logits)


@torch.no_grad()
def test_with_its_own_context_a_picture_comes_back_the_same(model: UniversalRestorer, picture: Tensor) -> None:
    wanted, context = model.answer_part(picture, torch.zeros(1, model.num_context), torch.zeros(()))
    restored, again = model.answer_part(picture, context, torch.ones(()))
    torch.testing.assert_close(restored, wanted)
    torch.testing.assert_close(again, context)


@torch.no_grad()
def test_every_number_of_the_context_matters(model: UniversalRestorer, picture: Tensor) -> None:
    _, context = model.answer_part(picture, torch.zeros(1, model.num_context), torch.zeros(()))
    wanted, _ = model.answer_part(picture, context, torch.ones(()))
    for place in range(model.num_context):
        other = context.clone()
        other[0, place] += 1
        changed, _ = model.answer_part(picture, other, torch.ones(()))
        assert (changed - wanted).abs().max() > 1e-6, place


@torch.no_grad()
def test_parts_with_the_context_of_the_whole_are_parts_of_the_whole(model: UniversalRestorer) -> None:
    picture = torch.rand(1, 3, 160, 64, generator=torch.Generator().manual_seed(2))
    whole, context = model.answer_part(picture, torch.zeros(1, model.num_context), torch.zeros(()))
    part = picture[:, :, 40:]
    trusting, _ = model.answer_part(part, context, torch.ones(()))
    alone, _ = model.answer_part(part, context, torch.zeros(()))
    reach = 48  # pixels; farther than any of its convolutions reach
    inner = (slice(None), slice(None), slice(reach, None))
    torch.testing.assert_close(trusting[inner], whole[:, :, 40:][inner], atol=1e-5, rtol=0)
    assert (alone[inner] - whole[:, :, 40:][inner]).abs().max() > 1e-3


def test_afterwards_the_network_is_as_before(model: UniversalRestorer, picture: Tensor) -> None:
    before = model(picture)[0]
    with pytest.raises(RuntimeError), exchanged(model.network, torch.zeros(1, 3), torch.ones(())):
        model.network(picture)
    torch.testing.assert_close(model(picture)[0], before)
