"""Restormer: a U-shaped restorer of transformer blocks that attend over channels.

Paper: "Restormer: Efficient Transformer for High-Resolution Image Restoration", CVPR 2022. Written from a description
in prose and checked against the published network's outputs; the state-dict names are the published ones. Which fields
give the copies of DCPT and MaskDCPT stands in docs/networks.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from undegrade.networks.base import RestorationNetwork, check_at_least
from undegrade.networks.blocks import Stage, hide
from undegrade.networks.levels import LEVELS, FourLevels, add_levels, check_levels, decode, encode
from undegrade.networks.transformer import BlockStyle, TransformerBlock, check_style


class Restormer(FourLevels, RestorationNetwork):
    """`features` are the outputs of the decoder levels 3, 2 and 1; refinement and output convolution draw."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The paper's network by default (26.1 M parameters), as for deraining and deblurring."""

        width: int = 48  # channels of the finest level
        blocks: tuple[int, ...] = (4, 6, 6, 8)  # transformer blocks of each level, finest first
        refinement: int = 4  # blocks at full size before the output
        heads: tuple[int, ...] = (1, 2, 4, 8)  # of the attention at each level
        expansion: float = 2.66  # of the feed-forward network
        bias: bool = False  # of the convolutions in the blocks
        norm: str = "with_bias"  # or "bias_free", as for denoising and in DCPT
        norm_eps: float = 1e-5  # DCPT has 1e-6
        attention: str = "softmax"  # DCPT has "relu"
        dual_pixel: bool = False  # two views (6 channels) in, one picture out, not added to the input

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            check_at_least(self, {"width": 1, "blocks": 0, "refinement": 0, "heads": 1})
            check_at_least(self, {"expansion": 1, "norm_eps": 0})
            check_levels(self)
            check_style(self, tuple(self.width << level for level in range(LEVELS)), self.heads)

    def __init__(self, config: Config) -> None:
        c, heads = config.width, config.heads
        super().__init__(
            config,
            size_multiple=1 << (LEVELS - 1),
            feature_channels=(4 * c, 2 * c, 2 * c),
            in_channels=6 if config.dual_pixel else 3,
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

        add_levels(self, config, stage, inputs=self.in_channels)
        if config.dual_pixel:
            self.skip_conv = nn.Conv2d(c, 2 * c, 1, bias=False)
        self.output = nn.Conv2d(2 * c, 3, 3, padding=1, bias=False)

    def steered(self, image: Tensor, visible: Tensor | None, level: int, x: Tensor) -> Tensor:
        """What is sent up from a level, 4 (the latent), 3 or 2: its output. Networks that steer the decoder change it.

        Args:
            image: (B, 3, H, W).
            visible: as for `features`.
            level: number of it.
            x: its output, (B, 8c, H / 8, W / 8), (B, 4c, H / 4, W / 4) or (B, 2c, H / 2, W / 2).
        """
        return x

    def features(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> (B, 4c, H / 4, W / 4), (B, 2c, H / 2, W / 2), (B, 2c, H, W); 6 channels of a dual pixel."""
        return self.decode(image, *self.encode(image, visible), visible)

    def encode(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, 3, H, W) -> the latent (B, 8c, H / 8, W / 8), and the skips: c, 2c, 4c channels, finest first."""
        return encode(self, image, visible=visible)

    def decode(
        self, image: Tensor, latent: Tensor, skips: tuple[Tensor, ...], visible: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """What `encode` made of the image -> the features."""
        return decode(self, latent, skips, visible=visible, leaving=partial(self.steered, image, visible))

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """The finest feature refined, and one convolution; (B, 3, H, W)."""
        refined = self.refinement(features[-1], visible)
        if self.config.dual_pixel:
            refined = refined + self.skip_conv(hide(self.patch_embed["proj"](hide(image, visible)), visible))
        return self.output(refined)

    def reconstruct(self, image: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """image + draw(image, features); of a dual pixel, whose two views are no picture yet, what is drawn alone."""
        return self.draw(image, features) if self.config.dual_pixel else super().reconstruct(image, features)
