"""The transformer block against its formulas, written out in their own order."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.networks.transformer import BlockStyle, ChannelAttention, PixelNorm, softmax


def style(**changes: object) -> BlockStyle:
    fields = {"expansion": 2.0, "bias": False, "norm": "bias_free", "norm_eps": 1e-5, "attention": "softmax"}
    return BlockStyle(**{**fields, **changes})


def attention(**changes: object) -> ChannelAttention:
    torch.manual_seed(0)
    layer = ChannelAttention(12, 3, style(**changes))
    torch.nn.init.uniform_(layer.temperature, 0.5, 8)
    return layer


def written_out(layer: ChannelAttention, x: Tensor) -> Tensor:
    """project(act(q k^T * temperature) v), step by step."""
    batch, channels, height, width = x.shape
    parts = layer.qkv_dwconv(layer.qkv(x)).chunk(3, 1)
    query, key, value = (part.reshape(batch, 3, channels // 3, height * width) for part in parts)
    scores = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1) * layer.temperature
    weights = scores.softmax(-1) if layer.weigh is softmax else scores.relu()
    return layer.project_out((weights @ value).reshape(x.shape))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("activation", ["softmax", "relu"])
def test_attention_and_its_gradient_are_those_of_the_formula(
    activation: str, bias: bool, layout: torch.memory_format
) -> None:
    layer = attention(attention=activation, bias=bias)
    given = torch.randn(2, 12, 6, 10).contiguous(memory_format=layout)
    direction, answers = torch.randn(2, 12, 6, 10), []
    for compute in (layer, lambda x: written_out(layer, x)):
        x = given.clone().requires_grad_()
        answer = compute(x)
        wanted = torch.autograd.grad((answer * direction).sum(), [x, *layer.parameters()])
        answers.append((answer.detach(), *wanted))
    for ours, theirs in zip(*answers, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_attention_where_nothing_is_visible_is_zero_and_has_a_gradient() -> None:
    layer = attention()
    answer = layer(torch.randn(1, 12, 8, 8), torch.zeros(1, 1, 2, 2, dtype=torch.bool))
    assert torch.equal(answer, torch.zeros_like(answer))
    answer.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_the_norm_without_bias_divides_by_the_deviation_and_does_not_centre(offset: float) -> None:
    norm, x = PixelNorm(12, style()), torch.randn(2, 12, 4, 5) + offset
    torch.nn.init.uniform_(norm.body["weight"])
    expected = x.double() / (x.double().var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    expected = expected * norm.body["weight"].detach()[:, None, None]
    torch.testing.assert_close(norm(x).detach().double(), expected, rtol=2e-5, atol=1e-6)
