"""TextPromptIR: Restormer's U whose blocks are told what a sentence asks for.

Written from a description in prose of the published network and checked against its outputs; the state-dict names are
the published ones. Published checkpoints also carry parts of PromptIR, and in each block the layers of the other
levels, which nothing uses; they are not made here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import GuidedNetwork, check_at_least
from undegrade.networks.blocks import Stage, hide
from undegrade.networks.levels import FourLevels, add_levels, check_levels, decode, encode
from undegrade.networks.transformer import BlockStyle, ChannelAttention, GatedFeedForward, PixelNorm, check_style

SETS = {1: "1", 2: "2", 4: "3", 8: "7"}  # channels as a multiple of the width, and the published name of the layers
SLOPE = 0.2  # of the leaky rectifiers between sentence and blocks


def add_text(layer: nn.Module, channels: int, width: int) -> None:
    """Give a layer what `told` needs: a convolution along the channels, and three linear layers of its level."""
    near = int(abs((math.log2(channels) + 1) / 2))
    size = near if near % 2 else near + 1
    layer.add_module("fusion", nn.ModuleDict({"conv": nn.Conv1d(1, 1, size, padding=size // 2, bias=False)}))
    name = f"linear{SETS[channels // width]}"
    for end, inputs in (("", 8 * width), ("_1", channels), ("_2", channels)):
        layer.add_module(name + end, nn.Linear(inputs, channels))


def told(layer: nn.Module, x: Tensor, text: Tensor, name: str, visible: Tensor | None) -> Tensor:
    """x * s + t, s = W1 (a * w), t = W2 (a * w), a = W0 g of the sentence, w = sigmoid(conv(means of x)) of the map.

    Args:
        layer: has what `add_text` gave it.
        x: what the layer is to see, (B, C, H, W).
        text: g, (B, 8 * width).
        name: of W0 in the layer.
        visible: as for `features`.
    """
    first, scale, shift = (layer.get_submodule(name + end) for end in ("", "_1", "_2"))
    share = layer.get_submodule("fusion.conv")(x.mean((2, 3))[:, None]).sigmoid()[:, 0]
    both = first(text) * share
    return hide(x * scale(both)[:, :, None, None] + shift(both)[:, :, None, None], visible)


class TextBlock(nn.Module):
    """y = x + attention(told(norm1(x))); z = y + feed_forward(told(norm2(y)))."""

    def __init__(self, channels: int, width: int, heads: int, style: BlockStyle) -> None:
        super().__init__()
        self.norm1, self.norm2 = PixelNorm(channels, style), PixelNorm(channels, style)
        self.attn, self.ffn = ChannelAttention(channels, heads, style), GatedFeedForward(channels, style)
        self.name = f"linear{SETS[channels // width]}"
        for layer in (self.attn, self.ffn):
            add_text(layer, channels, width)

    def forward(self, x: Tensor, text: Tensor, visible: Tensor | None) -> Tensor:
        """(B, C, H, W) and (B, 8 * width) -> (B, C, H, W)."""
        x = x + self.attn(told(self.attn, self.norm1(x, visible), text, self.name, visible), visible)
        return x + self.ffn(told(self.ffn, self.norm2(x, visible), text, self.name, visible), visible)


class TextPromptIR(FourLevels, GuidedNetwork):
    """`features` are the outputs of the decoder levels 3 and 2 and of the refinement; its guide is a sentence.

    As published, the third level of the decoder has as many heads as the second. Of the sentences that it was trained
    with, `sentences` (kinds, number, embedding), one is drawn for each picture; where nobody says anything, it is told
    their mean. Fresh ones are random: who trains it puts real ones there.
    """

    sentences: Tensor

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The published network by default."""

        width: int = 48  # channels of the finest level
        blocks: tuple[int, ...] = (4, 6, 6, 8)  # of each level, finest first
        refinement: int = 4  # blocks at full size before the output
        heads: tuple[int, ...] = (1, 2, 4, 8)  # of the attention at each level
        expansion: float = 2.66  # of the feed-forward network
        norm: str = "with_bias"  # or "bias_free"
        embedding: int = 768  # numbers of a sentence; 384 of the encoder of the extra `text`
        kinds: int = 0  # labels that it has sentences for
        number: int = 0  # of the sentences of each kind

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            check_at_least(self, {"width": 1, "blocks": 0, "refinement": 0, "heads": 1, "expansion": 1})
            check_at_least(self, {"embedding": 1, "kinds": 0, "number": 0})
            check_levels(self)
            check_style(self, tuple(self.width << level for level in range(4)), self.heads)
            if bool(self.kinds) != bool(self.number):
                raise ValueError(
                    f"TextPromptIR.Config.number is {self.number}; it must be 0 where kinds is, and else not"
                )

        @property
        def attention(self) -> str:
            """Of the blocks."""
            return "softmax"

    def __init__(self, config: Config) -> None:
        c, heads = config.width, config.heads
        super().__init__(config, size_multiple=8, feature_channels=(4 * c, 2 * c, 2 * c), global_statistics=True)
        style = BlockStyle(
            expansion=config.expansion, bias=False, norm=config.norm, norm_eps=1e-5, attention=config.attention
        )

        def stage(channels: int, level: int, number: int) -> Stage:
            return Stage(*(TextBlock(channels, c, heads[level], style) for _ in range(number)))

        add_levels(self, config, stage)
        self.decoder_level3 = stage(4 * c, 1, config.blocks[2])
        self.output = nn.Conv2d(2 * c, 3, 3, padding=1, bias=False)
        self.linear1, self.linear2 = nn.Linear(config.embedding, 12 * c), nn.Linear(12 * c, 8 * c)
        sentences = F.normalize(torch.randn(config.kinds, config.number, config.embedding), dim=2)
        self.register_buffer("sentences", sentences, persistent=bool(config.kinds))

    def usual(self, image: Tensor) -> Tensor:
        """(1, embedding): the mean of all sentences."""
        if not self.config.kinds:
            return image.new_zeros(1, self.config.embedding)
        return self.sentences.mean((0, 1))[None].to(image.dtype)

    def guide_of(self, degraded: Tensor, clean: Tensor, kinds: Tensor, numbers: tuple[int, ...]) -> Tensor:
        """(B, embedding): for each picture the mean of a sentence for each of its kinds, drawn by its number."""
        if not self.config.kinds:
            return self.usual(degraded).expand(len(degraded), -1)
        drawn = [
            torch.randint(self.config.number, (self.config.kinds,), generator=torch.Generator().manual_seed(number))
            for number in numbers or range(len(degraded))
        ]
        places = torch.arange(self.config.kinds)
        said = torch.stack([self.sentences[places, choice] for choice in drawn]).to(kinds.dtype)
        return (kinds[:, None] @ said)[:, 0] / kinds.sum(1, keepdim=True).clamp_min(1)

    def told_features(self, image: Tensor, guide: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W) and sentences (B, embedding) -> features at a quarter, half and all of the picture's size."""
        if guide.ndim != 2 or guide.shape[1] != self.config.embedding:
            raise ValueError(f"guide is {tuple(guide.shape)}; it must have {self.config.embedding} columns")
        text = F.leaky_relu(self.linear2(F.leaky_relu(self.linear1(guide), SLOPE)), SLOPE)
        latent, skips = encode(self, image, text, visible=visible)
        coarse, middle, fine = decode(self, latent, skips, text, visible=visible)
        return coarse, middle, self.refinement(fine, text, visible)

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """One convolution of the finest feature; (B, 3, H, W)."""
        return self.output(features[-1])
