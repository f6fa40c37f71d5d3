"""PIP: prompts on the skip connections of a U-shaped restorer, for one that is told what kind of degradation it meets.

Paper: "Prompt-In-Prompt Learning for Universal Image Restoration", 2023 (arXiv 2312.05038). It is a plug-in: between
`encode` and `decode` of a network here, each skip is exchanged for `interaction(skip, prompt(skip, kind))`. A prompt
lies in a prompt: one for each kind of degradation tells one of basic restoration what to ask of the skip. Written from
a description in prose and checked against the published Restormer's outputs; the state-dict names are the published
ones. Published checkpoints also carry reduce_noise_channel_1 to 3, which nothing uses; they are not made here, nor is
the axis of length 1 in front of detask_prompt_param.

Two quirks are kept, for the published weights depend on them: the prompt of the kind is divided by the number of kinds
(`divided`), and the cross interaction adds to the normalised skip, not to the skip itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import GuidedNetwork, check_at_least
from undegrade.networks.blocks import hide
from undegrade.networks.nafnet import NAFNet
from undegrade.networks.restormer import Restormer
from undegrade.networks.transformer import (
    BlockStyle,
    CrossAttention,
    GatedFeedForward,
    PixelNorm,
    Resize,
    TransformerBlock,
)

STYLE = BlockStyle(expansion=2.66, bias=False, norm="with_bias", norm_eps=1e-5, attention="softmax")
INTERACTIONS = ("top_m", "cross", "conv_gate", "block_gate")
TOP = ((1, 2), (2, 3), (3, 4), (4, 5))  # shares of the channels that are kept


class TopCrossAttention(CrossAttention):
    """A = sum over i of attn_i * softmax(the m_i largest of each row of q k^T * temperature), m_i = 1/2 to 4/5 of c."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__(channels, heads)
        self.attn1, self.attn2, self.attn3, self.attn4 = (nn.Parameter(torch.full((1,), 0.2)) for _ in TOP)

    def weigh(self, scores: Tensor) -> Tensor:
        """(B, heads, c, c) -> same shape."""
        channels = len(self.q.weight) // len(self.temperature)
        counts = [channels * part // whole for part, whole in TOP]
        largest = scores.topk(max(counts)).values
        total = torch.zeros_like(scores)
        for share, count in zip((self.attn1, self.attn2, self.attn3, self.attn4), counts, strict=True):
            kept = scores >= largest[..., count - 1, None]
            total = total + share * scores.masked_fill(~kept, float("-inf")).softmax(-1)
        return total


class DualGatedFeedForward(GatedFeedForward):
    """y = project(gelu(b) * a + gelu(a) * b), a and b the halves of a depthwise-convolved projection."""

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> same shape; zero where hidden."""
        a, b = self.dwconv(self.project_in(x)).chunk(2, 1)
        return hide(self.project_out(F.gelu(b) * a + F.gelu(a) * b), visible)


class CrossTransformer(nn.Module):
    """y = x + attention(norm11(x), norm12(other)); z = y + feed_forward(norm2(y))."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm11, self.norm12, self.norm2 = (PixelNorm(channels, STYLE) for _ in range(3))
        self.attn = CrossAttention(channels, heads)
        self.ffn = GatedFeedForward(channels, STYLE)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """(1, C, H, W) and (B, C, H, W) -> (B, C, H, W)."""
        x = x + self.attn(self.norm11(x), self.norm12(other))
        return x + self.ffn(self.norm2(x))


class PromptInPrompt(nn.Module):
    """p = conv3x3(enlarged(LGM(basic prompt, (sum over kinds of w_k * prompt_k) * resized(x)))), at last as large as x.

    Args:
        channels: of the prompts. x is cut to as many, or gets channels of zeros.
        number: of kinds of degradation.
        side: of the basic prompt, in pixels.
        heads: of the attention inside.
        divided: divide the sum over kinds by their number, as published.
    """

    def __init__(self, channels: int, number: int, side: int, heads: int, *, divided: bool) -> None:
        super().__init__()
        self.detask_prompt_param = nn.Parameter(torch.randn(number, channels, 1, 1))
        self.low_prompt_param = nn.Parameter(torch.randn(1, channels, side, side))
        self.LGM = CrossTransformer(channels, heads)
        self.outconv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.divided = divided

    def forward(self, x: Tensor, weights: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W), and the weights of the kinds, (B, number) or (1, number) -> (B, channels, H, W)."""
        number, channels = self.detask_prompt_param.shape[:2]
        kind = weights.to(x.dtype) @ self.detask_prompt_param.flatten(1).to(x.dtype)
        kind = kind / number if self.divided else kind
        resized = F.interpolate(hide(x, visible), self.low_prompt_param.shape[-2:], mode="bilinear")[:, :channels]
        fitted = F.pad(resized, (0, 0, 0, 0, 0, max(channels - x.shape[1], 0)))
        prompt = self.LGM(self.low_prompt_param, kind[:, :, None, None] * fitted)
        enlarged = F.interpolate(prompt, x.shape[-2:], mode="bilinear")
        return hide(self.outconv(hide(enlarged, visible)), visible)


def crowding(prompts: Tensor, measure: str = "angle") -> Tensor:
    """How alike the prompts of the kinds are: what the paper adds to the loss, times 0.002, for each level.

    "angle": 0.01 * sum over pairs i < j of relu(cos(p_i, p_j)); "cosine": 0.01 * sum over all i, j of |cos - I|.

    Args:
        prompts: (number, C, 1, 1), a `detask_prompt_param`.
        measure: "angle", as published networks were trained, or "cosine".

    Raises:
        ValueError: another measure.
    """
    directions = F.normalize(prompts.flatten(1))
    cosines = directions @ directions.T
    if measure == "angle":
        return 0.01 * cosines.triu(1).relu().sum()
    if measure == "cosine":
        return 0.01 * (cosines - torch.eye(len(cosines), device=cosines.device)).abs().sum()
    raise ValueError(f"measure is {measure!r}; it must be angle or cosine")


class FeatureCross(nn.Module):
    """y = a + feed_forward(norm2(a)), a = x' + attention(x', norm12(prompt)), x' = norm11(x).

    Where x has fewer channels than the prompt, x' gets channels of zeros and a is reduced to those of x; where it has
    more, those behind stay out of the attention.
    """

    def __init__(self, channels: int, prompt_channels: int, attention: CrossAttention) -> None:
        super().__init__()
        self.norm11, self.norm12 = PixelNorm(channels, STYLE), PixelNorm(prompt_channels, STYLE)
        self.attn = attention
        if channels < prompt_channels:
            self.reduce_channel = nn.Conv2d(prompt_channels, channels, 1, bias=False)
        self.norm2 = PixelNorm(channels, STYLE)
        self.ffn = DualGatedFeedForward(channels, STYLE)
        self.lacking = prompt_channels - channels

    def forward(self, x: Tensor, prompt: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, channels, H, W) and (B, prompt_channels, H, W) -> (B, channels, H, W)."""
        asking, other = self.norm11(x, visible), self.norm12(prompt, visible)
        asking, rest = asking[:, : prompt.shape[1]], asking[:, prompt.shape[1] :]
        asking = F.pad(asking, (0, 0, 0, 0, 0, max(self.lacking, 0)))
        y = asking + self.attn(asking, other, visible)
        y = self.reduce_channel(y) if self.lacking > 0 else torch.cat((y, rest), 1)
        return y + self.ffn(self.norm2(y, visible), visible)


class CrossInteraction(nn.Module):
    """The skip asks the prompt, by attention over channels."""

    def __init__(self, channels: int, prompt_channels: int, heads: int, *, top_m: bool) -> None:
        super().__init__()
        attention = (TopCrossAttention if top_m else CrossAttention)(prompt_channels, heads)
        self.prompt_transformer_cross = FeatureCross(channels, prompt_channels, attention)

    def forward(self, x: Tensor, prompt: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, channels, H, W) and (B, prompt_channels, H, W) -> (B, channels, H, W)."""
        return self.prompt_transformer_cross(x, prompt, visible)


class ConvGate(nn.Module):
    """y = x * sigmoid(conv2(m)) + conv3(m), m = conv1(prompt)."""

    def __init__(self, channels: int, prompt_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(prompt_channels, prompt_channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(prompt_channels, channels, 3, padding=1, bias=False)
        self.conv3 = nn.Conv2d(prompt_channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor, prompt: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, channels, H, W) and (B, prompt_channels, H, W) -> (B, channels, H, W)."""
        m = hide(self.conv1(prompt), visible)
        return hide(x * self.conv2(m).sigmoid() + self.conv3(m), visible)


class BlockGate(nn.Module):
    """y = x * sigmoid(conv3x3(t)) + conv1x1(t), t = transformer block(x beside the prompt)."""

    def __init__(self, channels: int, prompt_channels: int, heads: int) -> None:
        super().__init__()
        both = channels + prompt_channels
        self.prompt_transformer = TransformerBlock(both, heads, STYLE)
        self.gate_reduce_channel = nn.Conv2d(both, channels, 3, padding=1, bias=False)
        self.noise_channel_reduce = nn.Conv2d(both, channels, 1, bias=False)

    def forward(self, x: Tensor, prompt: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, channels, H, W) and (B, prompt_channels, H, W) -> (B, channels, H, W)."""
        t = hide(self.prompt_transformer(torch.cat((x, prompt), 1), visible), visible)
        return hide(x * self.gate_reduce_channel(t).sigmoid() + self.noise_channel_reduce(t), visible)


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """The fields that the plug-in adds to a network's; as the published Restormer was trained by default."""

    degradations: int = 5  # kinds, each with a prompt of its own
    prompt_channels: tuple[int, ...] = (64, 128, 256)  # of the skips that have a prompt, finest first
    prompt_sides: tuple[int, ...] = (64, 32, 16)  # pixels, finest first
    prompt_heads: int = 2  # of the attention inside a prompt
    interaction: str = "top_m"  # of skip and prompt; or "cross", "conv_gate", "block_gate"
    interaction_heads: int = 4  # of the attention in it
    divided: bool = True  # the prompt of the kind is divided by `degradations`, as published; False: it is not


def check_prompts(config: Any, skips: tuple[int, ...]) -> None:
    """Refuse prompts that cannot be built on these skips, whose channels are given finest first.

    Raises:
        ValueError: names the field, its value and what was expected.
    """
    name = type(config).__qualname__
    check_at_least(config, {"degradations": 1, "prompt_channels": 1, "prompt_sides": 1})
    check_at_least(config, {"prompt_heads": 1, "interaction_heads": 1})
    if config.interaction not in INTERACTIONS:
        raise ValueError(f"{name}.interaction is {config.interaction}; it must be {' or '.join(INTERACTIONS)}")
    number = len(config.prompt_channels)
    if not 1 <= number <= len(skips):
        raise ValueError(f"{name}.prompt_channels has {number} numbers; it must have 1 to {len(skips)}")
    if len(config.prompt_sides) != number:
        sides = len(config.prompt_sides)
        raise ValueError(f"{name}.prompt_sides has {sides} numbers; it must have {number}, as many as prompt_channels")
    for prompt, skip in zip(config.prompt_channels, skips, strict=False):
        attends = {"conv_gate": 0, "block_gate": skip + prompt}.get(config.interaction, prompt)
        for field, channels in (("prompt_heads", prompt), ("interaction_heads", attends)):
            heads = getattr(config, field)
            # Of fewer than two channels a head would keep none.
            if channels % heads or 0 < channels < 2 * heads:
                raise ValueError(f"{name}.{field} is {heads}; it must part {channels} channels into 2 or more each")


class Prompted(GuidedNetwork):
    """A network whose skips have prompts. Its guide is a weight for each kind, 1 for the one that is met.

    A class of networks follows it: `class PIPNAFNet(Prompted, NAFNet)`, and calls `add_prompts` when that is built.
    """

    guided_by_labels = True

    def add_prompts(self, skips: tuple[int, ...]) -> None:
        """Give the skips of these channels, finest first, the prompts that the config says."""
        config = self.config
        number, heads = config.degradations, config.interaction_heads
        for level, (skip, channels, side) in enumerate(
            zip(skips, config.prompt_channels, config.prompt_sides, strict=False), 1
        ):
            if config.interaction == "conv_gate":
                interaction: nn.Module = ConvGate(skip, channels)
            elif config.interaction == "block_gate":
                interaction = BlockGate(skip, channels, heads)
            else:
                interaction = CrossInteraction(skip, channels, heads, top_m=config.interaction == "top_m")
            prompt = PromptInPrompt(channels, number, side, config.prompt_heads, divided=config.divided)
            self.add_module(f"prompt{level}", prompt)
            self.add_module(f"low_prompt_interaction_level{level}", interaction)
        self.global_statistics = True

    def usual(self, image: Tensor) -> Tensor:
        """(1, degradations): all kinds in equal parts."""
        number = self.config.degradations
        return image.new_full((1, number), 1 / number)

    def guide_of(self, degraded: Tensor, clean: Tensor, kinds: Tensor, numbers: tuple[int, ...]) -> Tensor:
        """(B, degradations), the kinds."""
        return kinds

    def prompted(self, skips: tuple[Tensor, ...], guide: Tensor, visible: Tensor | None) -> tuple[Tensor, ...]:
        """The skips, finest first, of the same shapes; those behind the last prompt as they are."""
        if guide.ndim != 2 or guide.shape[1] != self.config.degradations:
            raise ValueError(f"guide is {tuple(guide.shape)}; it must have {self.config.degradations} columns")
        shares = guide / guide.sum(1, keepdim=True).clamp_min(1)  # of several kinds, equal parts
        after = []
        for level, x in enumerate(skips[: len(self.config.prompt_channels)], 1):
            prompt = self.get_submodule(f"prompt{level}")(x, shares, visible)
            after.append(self.get_submodule(f"low_prompt_interaction_level{level}")(x, prompt, visible))
        return (*after, *skips[len(after) :])

    def crowding(self, measure: str = "angle") -> Tensor:
        """The sum of `crowding` over the levels: what the paper adds to the loss, times 0.002."""
        prompts = [self.get_parameter(f"prompt{level + 1}.detask_prompt_param")
                   for level in range(len(self.config.prompt_channels))]  # fmt: skip
        return torch.stack([crowding(prompt, measure) for prompt in prompts]).sum()


class PIPRestormer(Prompted, Restormer):
    """The published network: all three skips have prompts, and the latent map is reduced; `features` as Restormer's."""

    @dataclass(frozen=True, kw_only=True)
    class Config(Restormer.Config, Prompts):
        """Restormer's and the prompts' fields, as published weights were trained."""

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            super().__post_init__()
            skips = (self.width, 2 * self.width, 4 * self.width)
            check_prompts(self, skips)
            if len(self.prompt_channels) != len(skips):
                raise ValueError(
                    f"PIPRestormer.Config.prompt_channels has {len(self.prompt_channels)} numbers; it must have "
                    f"{len(skips)}, finest first"
                )

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c = config.width
        self.chnl_reduce3 = nn.Conv2d(8 * c, 4 * c, 1, bias=False)
        self.up4_3 = Resize(4 * c, 2 * c, down=False)
        self.reduce_chan_level3 = nn.Conv2d(6 * c, 4 * c, 1, bias=False)
        self.add_prompts((c, 2 * c, 4 * c))

    def told_features(self, image: Tensor, guide: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W), (B, degradations) -> (B, 4c, H / 4, W / 4), (B, 2c, H / 2, W / 2), (B, 2c, H, W)."""
        latent, skips = self.encode(image, visible)
        return self.decode(image, self.chnl_reduce3(latent), self.prompted(skips, guide, visible), visible)


class PIPNAFNet(Prompted, NAFNet):
    """NAFNet with prompts on its finest skips, as many as there are prompts; `features` as NAFNet's."""

    @dataclass(frozen=True, kw_only=True)
    class Config(NAFNet.Config, Prompts):
        """NAFNet's and the prompts' fields; no weights are published."""

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            super().__post_init__()
            check_prompts(self, tuple(self.width << level for level in range(len(self.encoder))))

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.add_prompts(tuple(config.width << level for level in range(len(config.encoder))))

    def told_features(self, image: Tensor, guide: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W), (B, degradations) -> a feature a level, as NAFNet's."""
        coarsest, skips = self.encode(image, visible)
        return self.decode(coarsest, self.prompted(skips, guide, visible), visible)
