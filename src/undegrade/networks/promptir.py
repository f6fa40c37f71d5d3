"""PromptIR: Restormer with learned prompts in the decoder, which say what kind of degradation was met.

Paper: "PromptIR: Prompting for All-in-One Blind Image Restoration", NeurIPS 2023. Written from a description in prose
and checked against the published network's outputs; the state-dict names are the published ones. Published checkpoints
also carry chnl_reduce1 to 3 and reduce_noise_channel_1 to 3, which nothing uses; they are not made here. Their
prompts have an axis of length 1 in front, without which ours can be laid out channels-last like all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import RestorationNetwork, check_at_least
from undegrade.networks.blocks import Stage, hide
from undegrade.networks.levels import LEVELS, FourLevels, add_levels, check_levels, encode
from undegrade.networks.transformer import BlockStyle, Resize, TransformerBlock, check_style

PROMPTED = 3  # of them have a prompt


class Prompt(nn.Module):
    """p = conv3x3(enlarged(sum over k of w_k * P_k)), w = softmax(linear(mean of x over the pixels)), P_k learned."""

    def __init__(self, inputs: int, channels: int, number: int, side: int) -> None:
        super().__init__()
        self.prompt_param = nn.Parameter(torch.rand(number, channels, side, side))
        self.linear_layer = nn.Linear(inputs, number)
        self.conv3x3 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, inputs, H, W) -> (B, channels, H, W)."""
        weights = self.linear_layer(x.mean((2, 3))).softmax(1)
        prompt = torch.einsum("bk,kchw->bchw", weights, self.prompt_param.to(weights.dtype))
        enlarged = F.interpolate(prompt, x.shape[-2:], mode="bilinear")
        return hide(self.conv3x3(hide(enlarged, visible)), visible)


class PromptIR(FourLevels, RestorationNetwork):
    """The tapped `features` are the maps after the prompts of levels 3, 2 and 1; the finest one behind them draws."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The paper's network by default (35.4 M parameters)."""

        width: int = 48  # channels of the finest level
        blocks: tuple[int, ...] = (4, 6, 6, 8)  # transformer blocks of each level, finest first
        refinement: int = 4  # blocks at full size before the output
        heads: tuple[int, ...] = (1, 2, 4, 8)  # of the attention at each level
        expansion: float = 2.66  # of the feed-forward network
        bias: bool = False  # of the convolutions in the blocks
        norm: str = "with_bias"  # or "bias_free"
        norm_eps: float = 1e-5
        attention: str = "softmax"  # or "relu"
        prompts: int = 5  # learned maps at each level, of which a mixture is made
        prompt_channels: tuple[int, ...] = (64, 128, 320)  # finest first
        prompt_sides: tuple[int, ...] = (64, 32, 16)  # pixels, finest first

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            check_at_least(self, {"width": 1, "blocks": 0, "refinement": 0, "heads": 1})
            check_at_least(self, {"expansion": 1, "norm_eps": 0})
            check_at_least(self, {"prompts": 1, "prompt_channels": 1, "prompt_sides": 1})
            check_levels(self)
            for name in ("prompt_channels", "prompt_sides"):
                if (number := len(getattr(self, name))) != PROMPTED:
                    raise ValueError(
                        f"PromptIR.Config.{name} has {number} numbers; it must have {PROMPTED}, finest first"
                    )
            c, (p1, p2, p3) = self.width, self.prompt_channels
            check_style(self, (c, 2 * c, 4 * c, 8 * c), self.heads)
            if any(channels % self.heads[2] for channels in (2 * c + p1, 4 * c + p2, 8 * c + p3)):
                raise ValueError(
                    f"PromptIR.Config.prompt_channels is {self.prompt_channels}; behind {2 * c}, {4 * c} and "
                    f"{8 * c} channels they must give multiples of heads[2], {self.heads[2]}"
                )

    def __init__(self, config: Config) -> None:
        c, heads = config.width, config.heads
        super().__init__(
            config,
            size_multiple=1 << (LEVELS - 1),
            feature_channels=(4 * c, 4 * c, 2 * c, 2 * c),
            num_tapped=PROMPTED,
            global_statistics=True,
        )
        style = BlockStyle(
            expansion=config.expansion,
            bias=config.bias,
            norm=config.norm,
            norm_eps=config.norm_eps,
            attention=config.attention,
        )

        def stage(channels: int, level: int, number: int) -> Stage:
            return Stage(*(TransformerBlock(channels, heads[level], style) for _ in range(number)))

        def prompt(inputs: int, level: int) -> Prompt:
            return Prompt(inputs, config.prompt_channels[level], config.prompts, config.prompt_sides[level])

        p1, p2, p3 = config.prompt_channels
        add_levels(self, config, stage)
        self.prompt3, self.prompt2, self.prompt1 = prompt(8 * c, 2), prompt(4 * c, 1), prompt(2 * c, 0)
        # All three have as many heads as the third level.
        self.noise_level3 = TransformerBlock(8 * c + p3, heads[2], style)
        self.reduce_noise_level3 = nn.Conv2d(8 * c + p3, 4 * c, 1, bias=False)
        self.up4_3 = Resize(4 * c, 2 * c, down=False)
        self.reduce_chan_level3 = nn.Conv2d(6 * c, 4 * c, 1, bias=False)
        self.noise_level2 = TransformerBlock(4 * c + p2, heads[2], style)
        self.reduce_noise_level2 = nn.Conv2d(4 * c + p2, 4 * c, 1, bias=False)
        self.noise_level1 = TransformerBlock(2 * c + p1, heads[2], style)
        self.reduce_noise_level1 = nn.Conv2d(2 * c + p1, 2 * c, 1, bias=False)
        self.output = nn.Conv2d(2 * c, 3, 3, padding=1, bias=False)

    def features(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> 4c at 1/8 and 1/4, 2c at 1/2: after the prompts; and (B, 2c, H, W) of the decoder."""
        x, (fine, middle, coarse) = encode(self, image, visible=visible)
        third = self.reduce_noise_level3(self.noise_level3(torch.cat((x, self.prompt3(x, visible)), 1), visible))
        x = self.reduce_chan_level3(torch.cat((self.up4_3(third, visible), coarse), 1))
        x = self.decoder_level3(x, visible)
        second = self.reduce_noise_level2(self.noise_level2(torch.cat((x, self.prompt2(x, visible)), 1), visible))
        x = self.reduce_chan_level2(torch.cat((self.up3_2(second, visible), middle), 1))
        x = self.decoder_level2(x, visible)
        first = self.reduce_noise_level1(self.noise_level1(torch.cat((x, self.prompt1(x, visible)), 1), visible))
        x = self.decoder_level1(torch.cat((self.up2_1(first, visible), fine), 1), visible)
        return third, second, first, x

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """The finest feature refined, and one convolution; (B, 3, H, W)."""
        return self.output(self.refinement(features[-1], visible))
