"""The transformer block of Restormer, which attends over channels, and the layers between its levels.

Paper: "Restormer: Efficient Transformer for High-Resolution Image Restoration", CVPR 2022. Written from a description
in prose; the state-dict names are the published ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.blocks import hide

NORMS = ("with_bias", "bias_free")


def softmax(scores: Tensor) -> Tensor:
    """exp(s) / sum over the last axis of exp(s)."""
    return scores.softmax(-1)


ATTENTIONS: dict[str, Callable[[Tensor], Tensor]] = {"softmax": softmax, "relu": torch.relu}


@dataclass(frozen=True, kw_only=True)
class BlockStyle:
    """What all blocks of a network have in common."""

    expansion: float  # width of the feed-forward network, as a multiple of the channels
    bias: bool  # of the convolutions
    norm: str  # one of NORMS
    norm_eps: float
    attention: str  # one of ATTENTIONS


class PixelNorm(nn.Module):
    """Over the channels of each pixel: (x - mean) / sqrt(var + eps) * w + b, or "bias_free": x / sqrt(var + eps) * w.

    The variance is about the mean in both, and biased.
    """

    def __init__(self, channels: int, style: BlockStyle) -> None:
        super().__init__()
        self.body = nn.ParameterDict({"weight": nn.Parameter(torch.ones(channels))})
        if style.norm == "with_bias":
            self.body["bias"] = nn.Parameter(torch.zeros(channels))
        self.eps = style.norm_eps

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> same shape; hidden pixels become zeros."""
        weight = self.body["weight"]
        last = x.permute(0, 2, 3, 1)
        if "bias" in self.body:
            normed = F.layer_norm(last, weight.shape, weight, self.body["bias"], self.eps)
        else:
            exact = last.float()
            # Two means, for `var` takes several times as long on a CPU.
            variance = (exact - exact.mean(-1, keepdim=True)).square().mean(-1, keepdim=True)
            normed = last * (variance + self.eps).rsqrt().to(x.dtype) * weight
        return hide(normed.permute(0, 3, 1, 2), visible)


class ChannelAttention(nn.Module):
    """Multi-head transposed attention (MDTA): A = act(q k^T * temperature), c / h x c / h; y = project(A v).

    Queries and keys are depthwise-convolved projections, of unit length over all pixels. That length is divided out of
    the small matrix q k^T, and the projection is multiplied into A, which is small too: the whole maps are touched
    less often than in the order of the formula, and a block takes about a tenth less time on a CPU.
    """

    def __init__(self, channels: int, heads: int, style: BlockStyle) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=style.bias)
        self.qkv_dwconv = nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=style.bias)
        self.project_out = nn.Conv2d(channels, channels, 1, bias=style.bias)
        self.weigh = ATTENTIONS[style.attention]

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> same shape; hidden pixels neither ask nor answer."""
        query, key, value = hide(self.qkv_dwconv(self.qkv(x)), visible).chunk(3, 1)
        return attend(query, key, value, self.temperature, self.project_out, self.weigh)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    temperature: Tensor,
    project_out: nn.Conv2d,
    weigh: Callable[[Tensor], Tensor] = softmax,
) -> Tensor:
    """What `ChannelAttention` does with its projections; (B, C, H, W) each -> same shape.

    Args:
        query: whose channels ask.
        key: whose channels answer.
        value: what they answer.
        temperature: (heads, 1, 1).
        project_out: 1 x 1, C -> C.
        weigh: act, (B, heads, C / heads, C / heads) -> same shape.
    """
    heads, size = len(temperature), value.shape[-2:]
    query, key = (x.flatten(2).unflatten(1, (heads, -1)) for x in (query, key))
    lengths = length(query) * length(key).transpose(-2, -1)
    scores = query @ key.transpose(-2, -1) / lengths * temperature
    weights = weigh(scores)
    project = project_out.weight.flatten(1).unflatten(1, (heads, -1)).transpose(0, 1)  # (heads, C, C / heads)
    mixing = (project @ weights.to(project.dtype)).transpose(1, 2).flatten(2)  # (B, C, C)
    mixed = (mixing.to(value.dtype) @ value.flatten(2)).unflatten(2, size)
    bias = project_out.bias
    return mixed if bias is None else mixed + bias.to(mixed.dtype)[:, None, None]


def length(x: Tensor) -> Tensor:
    """(..., N) -> (..., 1): the root of the sum of squares; never 0, so that one may divide by it."""
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min(1e-12)


class CrossAttention(nn.Module):
    """Attention over channels, in which one map asks and another answers: project(softmax(q k^T * temperature) v)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        c = channels
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.q = nn.Conv2d(c, c, 1, bias=False)
        self.q_dwconv = nn.Conv2d(c, c, 3, padding=1, groups=c, bias=False)
        self.kv = nn.Conv2d(c, 2 * c, 1, bias=False)
        self.kv_dwconv = nn.Conv2d(2 * c, 2 * c, 3, padding=1, groups=2 * c, bias=False)
        self.project_out = nn.Conv2d(c, c, 1, bias=False)

    def weigh(self, scores: Tensor) -> Tensor:
        """(B, heads, C / heads, C / heads) -> same shape: how much each channel takes of each other."""
        return softmax(scores)

    def forward(self, asking: Tensor, answering: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) twice, or (1, C, H, W) that all pictures ask -> (B, C, H, W)."""
        query = hide(self.q_dwconv(self.q(asking)), visible)
        key, value = hide(self.kv_dwconv(self.kv(answering)), visible).chunk(2, 1)
        return attend(query, key, value, self.temperature, self.project_out, self.weigh)


class GatedFeedForward(nn.Module):
    """GDFN: y = project(gelu(a) * b), a and b the halves of a depthwise-convolved projection."""

    def __init__(self, channels: int, style: BlockStyle) -> None:
        super().__init__()
        hidden = int(channels * style.expansion)
        self.project_in = nn.Conv2d(channels, 2 * hidden, 1, bias=style.bias)
        self.dwconv = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=style.bias)
        self.project_out = nn.Conv2d(hidden, channels, 1, bias=style.bias)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> same shape; zero where hidden."""
        gate, value = self.dwconv(self.project_in(x)).chunk(2, 1)
        return hide(self.project_out(F.gelu(gate) * value), visible)


class TransformerBlock(nn.Module):
    """y = x + attention(norm1(x)); z = y + feed_forward(norm2(y))."""

    def __init__(self, channels: int, heads: int, style: BlockStyle) -> None:
        super().__init__()
        self.norm1, self.norm2 = PixelNorm(channels, style), PixelNorm(channels, style)
        self.attn = ChannelAttention(channels, heads, style)
        self.ffn = GatedFeedForward(channels, style)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> same shape."""
        x = x + self.attn(self.norm1(x, visible), visible)
        return x + self.ffn(self.norm2(x, visible), visible)


class Resize(nn.Module):
    """A 3x3 convolution, then pixels folded into channels or back: `inputs` -> 2 * `inputs` at half size, or reverse.

    Args:
        inputs: channels.
        outputs: channels, after folding.
        down: to half the size; otherwise to twice.
    """

    def __init__(self, inputs: int, outputs: int, *, down: bool) -> None:
        super().__init__()
        channels = outputs // 4 if down else outputs * 4
        self.body = nn.Sequential(nn.Conv2d(inputs, channels, 3, padding=1, bias=False))
        self.down = down

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / 2, W / 2), or (B, outputs, 2 H, 2 W)."""
        x = hide(self.body(x), visible)
        return F.pixel_unshuffle(x, 2) if self.down else F.pixel_shuffle(x, 2)


def check_style(config: Any, channels: tuple[int, ...], heads: tuple[int, ...]) -> None:
    """Refuse an unknown norm or attention, an odd width, and heads that do not share their channels out evenly.

    Raises:
        ValueError: names the field, its value and what was expected.
    """
    name = type(config).__qualname__
    for field, known in (("norm", NORMS), ("attention", ATTENTIONS)):
        if getattr(config, field) not in known:
            raise ValueError(f"{name}.{field} is {getattr(config, field)!r}; it must be {' or '.join(known)}")
    if config.width % 2:
        raise ValueError(f"{name}.width is {config.width}; it must be even, for half of it is folded into level 2")
    for width, number in zip(channels, heads, strict=True):
        if width % number:
            raise ValueError(f"{name}.heads is {heads}; it must divide the channels of the levels, {channels}")
