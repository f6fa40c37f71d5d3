"""Restormer: a U-shaped restorer of transformer blocks that attend over channels.

Paper: "Restormer: Efficient Transformer for High-Resolution Image Restoration", CVPR 2022. Written from a description
in prose and checked against the published network's outputs; the state-dict names are the published ones. Which fields
give the copies of DCPT and MaskDCPT stands in docs/networks.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from undegrade.networks.base import RestorationNetwork, check_at_least
from undegrade.networks.blocks import Stage, hide
from undegrade.networks.transformer import BlockStyle, Resize, TransformerBlock, check_style

LEVELS = 4


class Restormer(RestorationNetwork):
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
            for name in ("blocks", "heads"):
                if len(getattr(self, name)) != LEVELS:
                    raise ValueError(
                        f"Restormer.Config.{name} is {getattr(self, name)}; it must have {LEVELS} numbers, finest first"
                    )
            check_style(self, tuple(self.width << level for level in range(LEVELS)), self.heads)

    def __init__(self, config: Config) -> None:
        c, heads, blocks = config.width, config.heads, config.blocks
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

        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(self.in_channels, c, 3, padding=1, bias=False)})
        self.encoder_level1 = stage(c, 0, blocks[0])
        self.down1_2 = Resize(c, 2 * c, down=True)
        self.encoder_level2 = stage(2 * c, 1, blocks[1])
        self.down2_3 = Resize(2 * c, 4 * c, down=True)
        self.encoder_level3 = stage(4 * c, 2, blocks[2])
        self.down3_4 = Resize(4 * c, 8 * c, down=True)
        self.latent = stage(8 * c, 3, blocks[3])
        self.up4_3 = Resize(8 * c, 4 * c, down=False)
        self.reduce_chan_level3 = nn.Conv2d(8 * c, 4 * c, 1, bias=False)
        self.decoder_level3 = stage(4 * c, 2, blocks[2])
        self.up3_2 = Resize(4 * c, 2 * c, down=False)
        self.reduce_chan_level2 = nn.Conv2d(4 * c, 2 * c, 1, bias=False)
        self.decoder_level2 = stage(2 * c, 1, blocks[1])
        self.up2_1 = Resize(2 * c, c, down=False)
        self.decoder_level1 = stage(2 * c, 0, blocks[0])
        self.refinement = stage(2 * c, 0, config.refinement)
        if config.dual_pixel:
            self.skip_conv = nn.Conv2d(c, 2 * c, 1, bias=False)
        self.output = nn.Conv2d(2 * c, 3, 3, padding=1, bias=False)

    def _embed(self, image: Tensor, visible: Tensor | None) -> Tensor:
        return hide(self.patch_embed["proj"](hide(image, visible)), visible)

    def steered(self, level: int, x: Tensor, image: Tensor, visible: Tensor | None) -> Tensor:
        """What is sent up from a level, 4 (the latent), 3 or 2: its output. Networks that steer the decoder change it.

        Args:
            level: number of it.
            x: its output, (B, 8c, H / 8, W / 8), (B, 4c, H / 4, W / 4) or (B, 2c, H / 2, W / 2).
            image: (B, 3, H, W).
            visible: as for `features`.
        """
        return x

    def features(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> (B, 4c, H / 4, W / 4), (B, 2c, H / 2, W / 2), (B, 2c, H, W); 6 channels of a dual pixel."""
        return self.decode(image, *self.encode(image, visible), visible)

    def encode(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, 3, H, W) -> the latent (B, 8c, H / 8, W / 8), and the skips: c, 2c, 4c channels, finest first."""
        fine = self.encoder_level1(self._embed(image, visible), visible)
        middle = self.encoder_level2(self.down1_2(fine, visible), visible)
        coarse = self.encoder_level3(self.down2_3(middle, visible), visible)
        return self.latent(self.down3_4(coarse, visible), visible), (fine, middle, coarse)

    def decode(
        self, image: Tensor, latent: Tensor, skips: tuple[Tensor, ...], visible: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """What `encode` made of the image -> the features."""
        fine, middle, coarse = skips
        latent = self.steered(4, latent, image, visible)
        coarse = self.reduce_chan_level3(torch.cat((self.up4_3(latent, visible), coarse), 1))
        coarse = self.steered(3, self.decoder_level3(coarse, visible), image, visible)
        middle = self.reduce_chan_level2(torch.cat((self.up3_2(coarse, visible), middle), 1))
        middle = self.steered(2, self.decoder_level2(middle, visible), image, visible)
        fine = self.decoder_level1(torch.cat((self.up2_1(middle, visible), fine), 1), visible)
        return coarse, middle, fine

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """The finest feature refined, and one convolution; (B, 3, H, W)."""
        refined = self.refinement(features[-1], visible)
        if self.config.dual_pixel:
            refined = refined + self.skip_conv(self._embed(image, visible))
        return self.output(refined)

    def reconstruct(self, image: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """image + draw(image, features); of a dual pixel, whose two views are no picture yet, what is drawn alone."""
        return self.draw(image, features) if self.config.dual_pixel else super().reconstruct(image, features)
