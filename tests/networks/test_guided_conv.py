"""What the kernels of a convolution that is guided come to."""

import pytest
import torch
import torch.nn.functional as F

from undegrade.networks import GuidedConv


@pytest.fixture
def conv() -> GuidedConv:
    torch.manual_seed(0)
    conv = GuidedConv(6, 3, 2)
    with torch.no_grad():
        conv.own_out.normal_()
    return conv


@torch.no_grad()
def test_each_picture_is_convolved_with_the_kernel_of_its_guide(conv: GuidedConv) -> None:
    x, guide = torch.randn(4, 6, 8, 10), torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0.5, 1]])
    own = (conv.own_out @ conv.own_in).unflatten(2, (6, 3, 3))
    for y, given, share in zip(conv(x, guide), x, guide, strict=True):
        kernel = conv.weight + sum(weight * one for weight, one in zip(share, own, strict=True))
        torch.testing.assert_close(y, F.conv2d(given[None], kernel, conv.bias, padding=1)[0], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_half_the_precision_stays_half(conv: GuidedConv) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        for guide in (torch.ones(2, 3), torch.ones(1, 3)):
            assert conv(torch.randn(2, 6, 8, 8), guide).dtype == torch.bfloat16


@torch.no_grad()
def test_one_guide_for_all_is_the_same_as_one_for_each(conv: GuidedConv) -> None:
    x, guide = torch.randn(2, 6, 8, 8), torch.tensor([[0.0, 1, 0.3]])
    torch.testing.assert_close(conv(x, guide), conv(x, guide.expand(2, 3)), rtol=1e-4, atol=1e-4)


def test_what_a_kind_adds_is_learned_from_its_pictures_alone(conv: GuidedConv) -> None:
    conv(torch.randn(2, 6, 8, 8), torch.tensor([[0.0, 1, 0], [0, 0, 0]])).square().mean().backward()
    for own in conv.added:
        assert own.grad is not None
        assert own.grad[1].abs().min() > 0
        assert not own.grad[[0, 2]].any()


@torch.no_grad()
def test_at_first_and_without_a_rank_the_guide_changes_nothing() -> None:
    x, guides = torch.randn(1, 6, 8, 8), (torch.zeros(1, 3), torch.ones(1, 3))
    for rank in (0, 2):
        conv = GuidedConv(6, 3, rank)
        assert len(conv.added) == min(rank, 2)
        assert torch.equal(*(conv(x, guide) for guide in guides))
